import type { FastifyInstance, FastifyRequest } from 'fastify';
import * as z from 'zod/mini';
import { GateError, type JsonObject } from '../base/index.js';
import type { GatePort } from './port.js';
import { laneName, noStore, parse, type Caller } from './requests.js';

export const listSubjects = ['visitor', 'blocked', 'resident'] as const;

/** A change at the gate. Times are ISO 8601 with an offset. */
export interface ListEdit {
  readonly action: 'add' | 'remove';
  readonly subject: (typeof listSubjects)[number];
  readonly plate: string;
  readonly reason: string;
  /** The person, and the account or console it came from. */
  readonly by: string;
  readonly issuer: string;
  readonly from?: string | undefined;
  readonly until?: string | undefined;
  readonly lanes?: readonly string[] | undefined;
  readonly note?: string | undefined;
  readonly household?: string | undefined;
}

/** What the page and the command line may ask of the lists. */
export interface ListsPort {
  /** `{platform, waiting, edits}`: the list in force, or null; how many edits wait for it; the newest of them. */
  summary(options: { readonly edits: number }): JsonObject;
  /** `{plate, inForce, configuration, platform, edits}`. Throws `PLATE_INVALID`. */
  show(plate: string): JsonObject;
  /** In force and on disk when it resolves. Rejects with `PLATE_INVALID`, `LIST_EDIT_REFUSED`, `JOURNAL_*`. */
  edit(edit: ListEdit): Promise<object>;
}

const newestEdits = 100;
const words = (most: number): z.ZodMiniString => z.string().check(z.trim(), z.minLength(1, 'missing'), z.maxLength(most, `at most ${most} characters`));
const editBody = z.strictObject({
  action: z.enum(['add', 'remove']),
  subject: z.enum(listSubjects),
  plate: words(20),
  reason: words(200),
  by: z.optional(words(64)),
  from: z.optional(words(40)),
  until: z.optional(words(40)),
  lanes: z.optional(z.array(laneName).check(z.minLength(1, 'at least one lane; leave lanes out for all'))),
  note: z.optional(words(200)),
  household: z.optional(words(64)),
});
/** Properties that belong to one kind of addition alone. */
const belongs = { from: 'visitor', until: 'visitor', lanes: 'visitor', note: 'visitor', household: 'resident' } as const;

/** Lists: looking for whoever may look, changing for whoever is signed in. */
export function registerListsApi(app: FastifyInstance, { gate, callerOf }: { readonly gate: GatePort; readonly callerOf: (request: FastifyRequest) => Caller }): void {
  const listsOf = (): ListsPort => {
    if (gate.lists === undefined) throw new GateError('HTTP_NOT_FOUND', 'This gate keeps no lists of its own.');
    return gate.lists;
  };
  // Who is on a list is nobody's business but the guard's; an open view does not show it.
  const known = (request: FastifyRequest): string => {
    const { issuer } = callerOf(request);
    if (issuer === undefined) throw new GateError('HTTP_UNAUTHENTICATED', 'Sign in to see or change lists.');
    return issuer;
  };

  app.get('/api/lists', (request, reply) => {
    known(request);
    noStore(reply);
    return listsOf().summary({ edits: newestEdits });
  });

  app.get('/api/lists/plates/:plate', (request, reply) => {
    known(request);
    const { plate } = parse(z.object({ plate: words(20) }), request.params, 'address');
    noStore(reply);
    return listsOf().show(plate);
  });

  app.post('/api/lists/edits', { config: { rateLimit: { max: 60, timeWindow: 60_000 } } }, async (request, reply) => {
    const issuer = known(request);
    const body = parse(editBody, request.body, 'change');
    for (const [name, subject] of Object.entries(belongs)) {
      if (name in body && (body.action === 'remove' || body.subject !== subject)) throw new GateError('HTTP_BAD_REQUEST', `The change is not right. ${name}: only for adding a ${subject}.`);
    }
    noStore(reply);
    const { by, ...edit } = body;
    return listsOf().edit({ ...edit, by: by ?? issuer.replace(/^[a-z]+:/u, ''), issuer });
  });
}
