/** The journal of a gate that is not running, for the command line: SQLite is loaded into the calling process. */
export { damageIn, type Inspection } from './backup-manifest.js';
export { makeBackup, type BackupRequest } from './backup.js';
export { moveBackup, restoreBackup, type Restored } from './restore.js';
export { assertJournal, holdJournal } from './hold.js';
export { schemaText } from './schema.js';
export { verifyFile } from './verify-file.js';
