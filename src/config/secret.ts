import { readFile } from 'node:fs/promises';
import { GateError } from '../base/index.js';
import type { SecretRef } from './schema.js';

/** Where secrets come from; another one in tests. */
export interface SecretIo {
  readonly env: Readonly<Record<string, string | undefined>>;
  readFile(path: string): Promise<string>;
}

export const systemSecretIo: SecretIo = {
  get env() {
    return process.env;
  },
  readFile: (path) => readFile(path, 'utf8'),
};

/**
 * Reads a secret. The one newline that editors put at the end is not part of it.
 * @throws GateError SECRET_UNREADABLE naming the reference and what to do; never the secret
 */
export async function readSecret(ref: SecretRef, io: SecretIo = systemSecretIo): Promise<string> {
  if ('env' in ref) {
    const value = io.env[ref.env];
    if (value === undefined || value === '') {
      throw new GateError('SECRET_UNREADABLE', `the environment variable ${ref.env} is ${value === undefined ? 'not set' : 'empty'}; set it for the service (systemctl edit, Environment=) or use {file: PATH}`, { env: ref.env });
    }
    return value;
  }
  let text: string;
  try {
    text = await io.readFile(ref.file);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    const why = code === 'ENOENT' ? 'is not there; create it with the secret alone in it' : code === 'EACCES' ? "may not be read by this user; make the service's user its owner, mode 0400" : 'cannot be read';
    throw new GateError('SECRET_UNREADABLE', `the secret's file ${ref.file} ${why}`, { file: ref.file }, cause);
  }
  const secret = text.replace(/\r?\n$/u, '');
  if (secret === '') throw new GateError('SECRET_UNREADABLE', `the secret's file ${ref.file} is empty; write the secret alone into it`, { file: ref.file });
  return secret;
}
