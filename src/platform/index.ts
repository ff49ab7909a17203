export { contractDocument } from './contract.js';
export { LedgerFile, type GateRecord } from './ledger-file.js';
export { readListFile } from './list-file.js';
