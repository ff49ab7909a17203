import type { FastifyInstance, FastifyRequest } from 'fastify';
import * as z from 'zod/mini';
import { GateError, type JsonObject } from '../base/index.js';
import type { GatePort } from './port.js';
import { noStore, parse, type Caller } from './requests.js';

/** The gate's configuration as the command line sees and changes it. */
export interface ConfigurationView {
  /** What is in force, on trial, and how the last ones ended. */
  state(): JsonObject;
  /**
   * Takes a technician's configuration in; staged when it resolves. Rejects with `CONFIG_BUSY`, `CONFIG_INVALID`,
   * `CONFIG_NOT_ALLOWED`, `SECRET_UNREADABLE`.
   */
  applyHere(content: { readonly whole: boolean; readonly config: JsonObject }, issuer: string): Promise<JsonObject>;
  /** Ends a trial, or puts what was in force before on trial. Rejects with `CONFIG_BUSY`. */
  returnHere(issuer: string): Promise<JsonObject>;
}

/** As large as the platform may send one. */
const largestBodyBytes = 4 * 1024 * 1024;
const applyBody = z.strictObject({ whole: z._default(z.boolean(), false), config: z.record(z.string(), z.json()) });

/** On the control socket alone: `GET /api/configuration`, `POST /api/configuration`, `POST /api/configuration/return`. */
export function registerConfigurationApi(app: FastifyInstance, gate: GatePort, callerOf: (request: FastifyRequest) => Caller): void {
  const view = (): ConfigurationView => {
    if (gate.configuration === undefined) throw new GateError('HTTP_NOT_FOUND', 'This gate takes no configuration but its own file.');
    return gate.configuration;
  };
  const issuerOf = (request: FastifyRequest): string => callerOf(request).issuer ?? 'console';

  app.get('/api/configuration', (_request, reply) => {
    noStore(reply);
    return view().state();
  });
  app.post('/api/configuration', { bodyLimit: largestBodyBytes }, async (request, reply) => {
    noStore(reply);
    return view().applyHere(parse(applyBody, request.body, 'configuration'), issuerOf(request));
  });
  app.post('/api/configuration/return', async (request, reply) => {
    noStore(reply);
    return view().returnHere(issuerOf(request));
  });
}
