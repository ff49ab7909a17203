import { stringify } from 'yaml';
import { packageVersion } from '../daemon/version.js';
import { contractDocument } from '../platform/index.js';
import { print } from './output.js';

/** `gatectl platform contract`: YAML for people, JSON for tools; the same document. */
export function showContract(json: boolean): void {
  const document = contractDocument(packageVersion());
  print(json ? JSON.stringify(document) : stringify(document, { lineWidth: 120, aliasDuplicateObjects: false }).trimEnd());
}
