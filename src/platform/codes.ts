import type { GateErrorCode } from '../base/index.js';

/**
 * Codes a platform meets, with what they mean. Typed by the codes there are, so that a new one of these families cannot be
 * forgotten here.
 */
type Codes<Code extends GateErrorCode> = Readonly<Record<Code, string>>;

/** In `reply`. */
export const commandCodes: Codes<Extract<GateErrorCode, `COMMAND_${string}` | 'LANE_UNKNOWN'>> = {
  COMMAND_CLOCK_UNSET: 'refused: the gate does not know the time, so it cannot know that the command is fresh; send a new one that names the challenge of this reply',
  COMMAND_DUPLICATE: 'refused: the id was used before, for something else; a new command needs a new id',
  COMMAND_EXPIRED: 'refused: too late, or the challenge it names is; send a new one',
  COMMAND_INTERRUPTED: 'failed: the gate restarted while it was carried out; look at the lane, then send a new one',
  COMMAND_INVALID: 'refused: not of the form of this contract, or it expires more than 24 hours ahead',
  COMMAND_RATE_LIMITED: 'refused: too many from this issuer; the reason says how long to wait',
  COMMAND_REFUSED: 'refused or failed by the lane, or it could not be put on record; reason is a word of the lane (duplicate, lane-starting, lane-stopped, stopped, fire, held, obstructed, not-supported, superseded, boom-fault, operator-holds, timeout) or a sentence',
  COMMAND_RETAINED: 'refused: it was retained; publish commands with retain off',
  COMMAND_SIGNATURE_INVALID: 'refused: unknown key, key not valid now or not for this issuer, or the signature does not fit',
  COMMAND_UNSIGNED: 'refused: this gate takes signed commands only',
  LANE_UNKNOWN: 'refused: the gate has no such lane',
};

/** In `list/report`, under `refused`. */
export const listCodes: Codes<Exclude<Extract<GateErrorCode, `LIST_${string}`>, 'LIST_EDIT_REFUSED' | 'LIST_DAMAGED'>> = {
  LIST_BASE_UNKNOWN: 'the change starts from a version the gate does not hold; send the whole list',
  LIST_CONFLICT: 'this version came before with another content; a change needs a new version',
  LIST_DIGEST_WRONG: 'the list that came out does not have the digest it was sent with; send the whole list',
  LIST_INCOMPLETE: 'parts of a full list did not come in time; send all of it again',
  LIST_INVALID: 'not of the form of this contract; the reason says where',
  LIST_UNAVAILABLE: 'the gate cannot take lists now; it asks again',
  LIST_WRITE_FAILED: 'the list could not be put on disk; the one before stays in force',
};

/** In `config/report`, under `outcome`. */
export const configCodes: Codes<Extract<GateErrorCode, `CONFIG_${string}` | 'MESSAGE_INVALID' | 'SECRET_UNREADABLE' | 'COMMAND_REFUSED'>> = {
  COMMAND_REFUSED: 'returned: a technician on the box ended the trial',
  CONFIG_BUSY: 'refused for now: another one is on trial',
  CONFIG_CONFLICT: 'refused: the version came before with another content; a change needs a new version',
  CONFIG_CRASHED: 'returned: the gate ended under it during its trial',
  CONFIG_INVALID: 'refused, or returned at a start: it is no right configuration; faults say where',
  CONFIG_NOT_ALLOWED: 'refused: it changes what this gate lets nobody change from afar; faults say where',
  CONFIG_OUTDATED: 'refused: a higher version was here already',
  CONFIG_STATE_DAMAGED: "returned: what was in force cannot be read any more; the technician's file alone counts",
  CONFIG_SUPERSEDED: 'refused: a newer one came while it waited for quiet lanes; returned: its trial had begun',
  CONFIG_UNHEALTHY: 'returned: a part of the gate that was well before was not well with it',
  CONFIG_UNREADABLE: 'refused or returned: a file of it cannot be read or written on the box',
  MESSAGE_INVALID: 'refused: not of the form of this contract',
  SECRET_UNREADABLE: 'refused: a secret it names cannot be read on the box',
};
