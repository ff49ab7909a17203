export { contractDocument } from './contract.js';
export { LedgerFile, type GateRecord } from './ledger-file.js';
export { readListFile, writeListFile } from './list-file.js';
