/** Every failure the gate reports carries one of these codes; a supporter can search for it. */
export type GateErrorCode =
  | 'ACCESS_LIST_INVALID'
  | 'BACKUP_FAILED'
  | 'BACKUP_INVALID'
  | 'BROKER_CLIENT_ID_TAKEN'
  | 'BROKER_REFUSED'
  | 'BROKER_TLS'
  | 'BROKER_UNREACHABLE'
  | 'CAMERA_LOST'
  | 'CAMERA_SOURCE_INVALID'
  | 'CLI_USAGE'
  | 'COMMAND_CLOCK_UNSET'
  | 'COMMAND_DUPLICATE'
  | 'COMMAND_EXPIRED'
  | 'COMMAND_INTERRUPTED'
  | 'COMMAND_INVALID'
  | 'COMMAND_RATE_LIMITED'
  | 'COMMAND_REFUSED'
  | 'COMMAND_RETAINED'
  | 'COMMAND_SIGNATURE_INVALID'
  | 'COMMAND_UNSIGNED'
  | 'CONFIG_BUSY'
  | 'CONFIG_CONFLICT'
  | 'CONFIG_CRASHED'
  | 'CONFIG_INVALID'
  | 'CONFIG_NOT_ALLOWED'
  | 'CONFIG_OUTDATED'
  | 'CONFIG_STATE_DAMAGED'
  | 'CONFIG_SUPERSEDED'
  | 'CONFIG_UNHEALTHY'
  | 'CONFIG_UNREADABLE'
  | 'CONTROL_BUSY'
  | 'CONTROL_UNREACHABLE'
  | 'DEVICE_LINE_INVALID'
  | 'DEVICE_LOST'
  | 'DEVICE_TIMEOUT'
  | 'EVENT_INVALID'
  | 'EVENT_TOO_LARGE'
  | 'FFMPEG_MISSING'
  | 'GATE_SILENT'
  | 'HTTP_BAD_REQUEST'
  | 'HTTP_FORBIDDEN'
  | 'HTTP_NOT_FOUND'
  | 'HTTP_TOO_MANY_REQUESTS'
  | 'HTTP_UNAUTHENTICATED'
  | 'JOURNAL_CLOSED'
  | 'JOURNAL_CORRUPT'
  | 'JOURNAL_IN_USE'
  | 'JOURNAL_VERSION_UNKNOWN'
  | 'JOURNAL_WRITE_FAILED'
  | 'LANE_UNKNOWN'
  | 'LEDGER_UNREADABLE'
  | 'LIST_BASE_UNKNOWN'
  | 'LIST_CONFLICT'
  | 'LIST_DAMAGED'
  | 'LIST_DIGEST_WRONG'
  | 'LIST_EDIT_REFUSED'
  | 'LIST_INCOMPLETE'
  | 'LIST_INVALID'
  | 'LIST_UNAVAILABLE'
  | 'LIST_WRITE_FAILED'
  | 'MESSAGE_INVALID'
  | 'MESSAGE_TOO_LARGE'
  | 'MODEL_INVALID'
  | 'PICTURE_UNREADABLE'
  | 'PLATE_INVALID'
  | 'SECRET_UNREADABLE'
  | 'SYSTEM_PROGRAM_FAILED'
  | 'VISION_DOWN';

/**
 * The only error type the project throws. The message starts with the code, says what is wrong and what to do.
 * `context` holds facts for a log line or a JSON reply and never a secret.
 */
export class GateError extends Error {
  readonly code: GateErrorCode;
  readonly context: Readonly<Record<string, unknown>>;

  constructor(code: GateErrorCode, message: string, context: Readonly<Record<string, unknown>> = {}, cause?: unknown) {
    super(`${code}: ${message}`, cause === undefined ? undefined : { cause });
    this.name = 'GateError';
    this.code = code;
    this.context = context;
  }
}

/** Guard for a thrown value; with a code, guards for that code. */
export function isGateError(value: unknown, code?: GateErrorCode): value is GateError {
  return value instanceof GateError && (code === undefined || value.code === code);
}

/** Text of any thrown value, for a log line or an event payload. */
export function errorText(value: unknown): string {
  return value instanceof Error ? value.message : String(value);
}
