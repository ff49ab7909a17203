import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freshDirectory } from './support.js';

/** A certificate authority of a test, with its files. */
export interface Authority {
  readonly directory: string;
  readonly ca: string;
}

const openssl = (...args: readonly string[]): unknown => execFileSync('openssl', args, { stdio: 'ignore' });
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export function authority(): Authority {
  const directory = freshDirectory();
  const ca = join(directory, 'ca.pem');
  openssl('req', '-x509', ...newKey, '-days', '2', '-subj', '/CN=test authority', '-keyout', join(directory, 'ca.key'), '-out', ca);
  return { directory, ca };
}

/** A certificate with its key, signed by it. */
export function signed({ directory, ca }: Authority, name: string, { altName = 'IP:127.0.0.1', days = '2' } = {}): { readonly key: string; readonly certificate: string } {
  const [key = '', request = '', extensions = '', certificate = ''] = ['key', 'csr', 'ext', 'pem'].map((ending) => join(directory, `${name}.${ending}`));
  writeFileSync(extensions, `subjectAltName=${altName}\n`);
  openssl('req', '-new', ...newKey, '-subj', `/CN=${name}`, '-keyout', key, '-out', request);
  openssl('x509', '-req', '-in', request, '-CA', ca, '-CAkey', join(directory, 'ca.key'), '-CAcreateserial', '-days', days, '-extfile', extensions, '-out', certificate);
  return { key, certificate };
}
