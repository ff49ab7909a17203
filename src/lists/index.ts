export { digestOfLines, keyOf, lineOf, listDigest } from './digest.js';
export { withEdit } from './edited-list.js';
export { editSubjects, localEditSchema, type EditRequest, type EditSubject, type LocalEdit } from './edits.js';
export { ListKeeper, type ListKeeperOptions } from './keeper.js';
export { fullListPartSchema, listDeltaSchema, listEntrySchema, listMessageSchema, type FullListPart, type ListDelta, type ListEntry, type ListMessage } from './messages.js';
export type { HeldList, ListOutcome, ListRefusal } from './protocol.js';
