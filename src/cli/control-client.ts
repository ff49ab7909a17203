import { request as httpRequest, type IncomingMessage } from 'node:http';
import { userInfo } from 'node:os';
import type * as z from 'zod/mini';
import { GateError, errorText, type GateErrorCode } from '../base/index.js';
import { errorSchema } from '../web/view.js';

const answerTimeoutMs = 30_000;

/** Codes the gate may answer with that the command line tells apart; any other counts as a refusal. */
const knownCodes: readonly GateErrorCode[] = ['BACKUP_FAILED', 'COMMAND_DUPLICATE', 'COMMAND_EXPIRED', 'COMMAND_INVALID', 'COMMAND_REFUSED', 'CONFIG_BUSY', 'CONFIG_INVALID', 'CONFIG_NOT_ALLOWED', 'CONFIG_UNREADABLE', 'DEVICE_LINE_INVALID', 'DEVICE_LOST', 'DEVICE_TIMEOUT', 'HTTP_BAD_REQUEST', 'HTTP_NOT_FOUND', 'JOURNAL_CLOSED', 'LANE_UNKNOWN', 'LIST_EDIT_REFUSED', 'LIST_UNAVAILABLE', 'PLATE_INVALID', 'SECRET_UNREADABLE'];

/** Who sits at the console, for the record; the person behind sudo rather than root. */
function consoleUser(): string {
  const behindSudo = process.env['SUDO_USER'];
  if (behindSudo !== undefined && behindSudo !== '') return behindSudo;
  try {
    return userInfo().username;
  } catch {
    return 'local';
  }
}

function systemCode(cause: unknown): string {
  return cause instanceof Error && 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
}

/** Speaks to the running gate over its control socket. Errors are `CONTROL_UNREACHABLE` or what the gate answers. */
export class ControlClient {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  get<Schema extends z.ZodMiniType>(schema: Schema, path: string): Promise<z.output<Schema>> {
    return this.#ask(schema, 'GET', path);
  }

  post<Schema extends z.ZodMiniType>(schema: Schema, path: string, body: object): Promise<z.output<Schema>> {
    return this.#ask(schema, 'POST', path, body);
  }

  /**
   * Calls back for every line of an endless answer until it ends or `signal` says so.
   * @returns true where `signal` ended it, false where the gate did
   */
  async follow(path: string, onLine: (text: string) => void, signal: AbortSignal, onOpen: () => Promise<void> = () => Promise.resolve()): Promise<boolean> {
    return this.#follow(await this.#send('GET', path, undefined, signal), onLine, signal, onOpen);
  }

  /** Asks for work that is told of line by line until it is done; returns as `follow`. */
  async postAndFollow(path: string, body: object, onLine: (text: string) => void, signal: AbortSignal): Promise<boolean> {
    return this.#follow(await this.#send('POST', path, body, signal), onLine, signal, () => Promise.resolve());
  }

  async #follow(response: IncomingMessage, onLine: (text: string) => void, signal: AbortSignal, onOpen: () => Promise<void>): Promise<boolean> {
    if ((response.statusCode ?? 0) >= 400) throw await refusal(response);
    let rest = '';
    response.setEncoding('utf8').on('data', (part: string) => {
      const lines = (rest + part).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    });
    const ended = new Promise<void>((resolve) => {
      response.once('close', resolve);
      response.once('error', () => resolve());
    });
    await onOpen();
    await ended;
    return signal.aborted;
  }

  async #ask<Schema extends z.ZodMiniType>(schema: Schema, method: string, path: string, body?: object): Promise<z.output<Schema>> {
    const response = await this.#send(method, path, body, AbortSignal.timeout(answerTimeoutMs));
    if ((response.statusCode ?? 0) >= 400) throw await refusal(response);
    const parsed = schema.safeParse(await bodyOf(response));
    if (!parsed.success) {
      throw new GateError('MESSAGE_INVALID', 'The gate answered in a form this gatectl does not know; use the gatectl of the same version.', {
        faults: parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
      });
    }
    return parsed.data;
  }

  #send(method: string, path: string, body: object | undefined, signal: AbortSignal): Promise<IncomingMessage> {
    const socketPath = this.#socketPath;
    const text = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const headers = { 'x-laurel-user': consoleUser(), ...(text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }) };
      const request = httpRequest({ socketPath, method, path, headers, signal }, resolve);
      request.once('error', (cause) => reject(unreachable(socketPath, cause)));
      request.end(text);
    });
  }
}

async function bodyOf(response: IncomingMessage): Promise<unknown> {
  let text = '';
  response.setEncoding('utf8');
  for await (const part of response) text += String(part);
  return parseJson(text);
}

/** What the gate says against a request. */
async function refusal(response: IncomingMessage): Promise<GateError> {
  const status = response.statusCode ?? 0;
  const refused = errorSchema.safeParse(await bodyOf(response));
  if (!refused.success) return new GateError('MESSAGE_INVALID', `The gate answered ${status} without an explanation.`, { status });
  return refusalFrom(refused.data.error);
}

/** What the gate says against a request, as it stands in an answer. */
export function refusalFrom({ code, message }: { readonly code: string; readonly message: string }): GateError {
  return new GateError(knownCodes.find((known) => known === code) ?? 'COMMAND_REFUSED', message, { code });
}

function unreachable(socketPath: string, cause: Error): GateError {
  const code = systemCode(cause);
  const advice =
    code === 'EACCES' || code === 'EPERM'
      ? 'you may not open it; run gatectl as the user of the gate, e.g. sudo -u laurel gatectl …'
      : code === 'ENOENT' || code === 'ECONNREFUSED'
        ? 'the gate is not running there. Start it (systemctl start laurel-gate, or gatectl run), or name another with --data or --config'
        : `it does not answer (${errorText(cause)})`;
  return new GateError('CONTROL_UNREACHABLE', `No gate at ${socketPath}: ${advice}.`, { socketPath }, cause);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
