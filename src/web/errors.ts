import type { GateError} from '../base/index.js';
import { isGateError, type GateErrorCode } from '../base/index.js';

/** What every refused request carries: a code to search for and a sentence that says what to do. */
export interface ErrorBody {
  readonly error: { readonly code: GateErrorCode | 'HTTP_INTERNAL'; readonly message: string };
}

const statuses: Partial<Record<GateErrorCode, number>> = {
  BACKUP_FAILED: 503,
  COMMAND_DUPLICATE: 409,
  COMMAND_EXPIRED: 409,
  COMMAND_INVALID: 400,
  COMMAND_REFUSED: 409,
  CONFIG_BUSY: 409,
  CONFIG_INVALID: 400,
  CONFIG_NOT_ALLOWED: 403,
  CONFIG_UNREADABLE: 503,
  HTTP_BAD_REQUEST: 400,
  HTTP_FORBIDDEN: 403,
  HTTP_NOT_FOUND: 404,
  HTTP_TOO_MANY_REQUESTS: 429,
  HTTP_UNAUTHENTICATED: 401,
  DEVICE_LOST: 503,
  DEVICE_TIMEOUT: 503,
  JOURNAL_CLOSED: 503,
  LANE_UNKNOWN: 404,
  LIST_EDIT_REFUSED: 409,
  LIST_UNAVAILABLE: 503,
  PLATE_INVALID: 400,
  SECRET_UNREADABLE: 400,
  VISION_DOWN: 503,
};

/** HTTP status of an error's code; a code without an entry is the gate's own fault: 500. */
export function httpStatusOf(code: GateErrorCode): number {
  return statuses[code] ?? 500;
}

/** The sentence of an error without the code that stands before it. */
export function plainMessage(error: GateError): string {
  const prefix = `${error.code}: `;
  return error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message;
}

function statusCodeOf(cause: unknown): number | undefined {
  if (typeof cause !== 'object' || cause === null || !('statusCode' in cause)) return undefined;
  return typeof cause.statusCode === 'number' ? cause.statusCode : undefined;
}

/** Turns anything thrown while a request was handled into its reply; what is not ours never leaks its text. */
export function replyOf(cause: unknown): { readonly status: number; readonly body: ErrorBody; readonly unexpected: boolean } {
  if (isGateError(cause)) {
    const status = httpStatusOf(cause.code);
    return { status, body: { error: { code: cause.code, message: plainMessage(cause) } }, unexpected: status >= 500 };
  }
  const status = statusCodeOf(cause);
  if (status === 413) return refusal(413, 'The request is too large; the gate takes at most 16 KiB.');
  if (status === 415) return refusal(415, 'Send the body as JSON with the header Content-Type: application/json.');
  if (status !== undefined && status >= 400 && status < 500) {
    const said = cause instanceof Error ? cause.message : 'The request cannot be understood';
    return refusal(status, `${said}; see the addresses and fields in the documentation.`);
  }
  return {
    status: 500,
    body: { error: { code: 'HTTP_INTERNAL', message: 'The gate could not answer; its log says why. The lanes are not affected.' } },
    unexpected: true,
  };
}

function refusal(status: number, message: string): { status: number; body: ErrorBody; unexpected: boolean } {
  return { status, body: { error: { code: 'HTTP_BAD_REQUEST', message } }, unexpected: false };
}
