import { createPublicKey, type KeyObject } from 'node:crypto';

/** RFC 8032: a public key is 32 bytes, in base64 43 characters and one sign of padding. */
const RAW = /^[A-Za-z0-9+/]{43}=$/u;

/**
 * Reads an Ed25519 public key, as PEM (SubjectPublicKeyInfo, RFC 8410) or as its 32 bytes in base64.
 * @returns undefined for anything else
 */
export function readCommandKey(text: string): KeyObject | undefined {
  const plain = text.trim();
  try {
    const key = RAW.test(plain)
      ? createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(plain, 'base64').toString('base64url') } })
      : plain.startsWith('-----BEGIN PUBLIC KEY-----')
        ? createPublicKey(plain)
        : undefined;
    return key?.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    return undefined;
  }
}
