import { createHash, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { GateError, errorText } from '../base/index.js';
import { readCommandKey, type UplinkConfig } from '../config/index.js';
import { canonicalJson } from '../journal/index.js';
import { topicOf, type CommandMessage } from './messages.js';

export type CommandKeyConfig = UplinkConfig['commandKeys'][number];

interface CommandKey {
  readonly key: KeyObject;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly issuers: readonly string[] | undefined;
}

export type SignatureCheck = { readonly key: string | undefined } | { readonly code: 'COMMAND_UNSIGNED' | 'COMMAND_SIGNATURE_INVALID'; readonly reason: string };

/**
 * What is signed: UTF-8 of the RFC 8785 form of `{"message": …, "topic": …}`, where the message is as sent but without its
 * `signature`, and the topic is the full one it is published to. The topic binds it to one gate, to commands, and to this
 * version of the contract.
 * @throws GateError EVENT_INVALID when the message nests too deep
 */
export function signedBytes(topic: string, message: Readonly<Record<string, unknown>>): Buffer {
  const { signature: _left, ...signed } = message;
  return Buffer.from(canonicalJson({ message: signed, topic }), 'utf8');
}

/** Name of a key where nobody gave it one: the beginning of the SHA-256 of its 32 bytes. */
export function keyFingerprint(key: KeyObject): string {
  const raw = createPublicKey(key.export({ format: 'pem', type: key.type === 'private' ? 'pkcs8' : 'spki' })).export({ format: 'jwk' }).x ?? '';
  return `ed25519-${createHash('sha256').update(Buffer.from(raw, 'base64url')).digest('hex').slice(0, 16)}`;
}

/** Signs a command for one gate (Ed25519, RFC 8032). `key.id` is the name the gate's configuration has for the key. */
export function signCommand(command: CommandMessage, at: { readonly site: string; readonly gate: string }, key: { readonly id: string; readonly privateKey: KeyObject }): CommandMessage {
  const { signature: _old, ...plain } = command;
  return { ...plain, signature: { key: key.id, value: sign(null, signedBytes(topicOf(at.site, at.gate, 'command'), plain), key.privateKey).toString('base64') } };
}

/** The keys that may sign commands. Several are valid at once, so that one can follow another without a pause. */
export class CommandKeys {
  readonly #keys = new Map<string, CommandKey>();
  readonly #topic: string;

  /** @throws GateError CONFIG_INVALID for a public key that is none */
  constructor(keys: readonly CommandKeyConfig[], topic: string) {
    this.#topic = topic;
    for (const { id, publicKey, notBefore, notAfter, issuers } of keys) {
      const key = readCommandKey(publicKey);
      if (key === undefined) throw new GateError('CONFIG_INVALID', `uplink.commandKeys: the key "${id}" is no Ed25519 public key; give its PEM or its 32 bytes in base64`);
      this.#keys.set(id, {
        key,
        notBeforeMs: notBefore === undefined ? -Infinity : Date.parse(notBefore),
        notAfterMs: notAfter === undefined ? Infinity : Date.parse(notAfter),
        issuers,
      });
    }
  }

  /**
   * @param raw the message as it came, with what this release does not know
   * @returns the key that signed; without any key configured no signature is asked for
   */
  check(raw: Readonly<Record<string, unknown>>, { issuer, signature }: CommandMessage, now: { readonly wallMs: number; readonly clockTrusted: boolean }): SignatureCheck {
    if (this.#keys.size === 0) return { key: undefined };
    if (signature === undefined) return { code: 'COMMAND_UNSIGNED', reason: 'this gate takes signed commands only; sign it with one of the keys in its uplink.commandKeys' };
    const bad = (reason: string): SignatureCheck => ({ code: 'COMMAND_SIGNATURE_INVALID', reason });
    const known = this.#keys.get(signature.key);
    if (known === undefined) return bad(`this gate does not know the key "${signature.key}"; add it to uplink.commandKeys`);
    if (!this.#valid(known.key, raw, signature.value)) return bad('the signature does not fit this message on this topic; a command is signed for one gate, over its RFC 8785 form');
    if (known.issuers !== undefined && !known.issuers.includes(issuer)) return bad(`the key "${signature.key}" may not speak for "${issuer}"`);
    const window = outside(known, now);
    return window === undefined ? { key: signature.key } : bad(`the key "${signature.key}" ${window}`);
  }

  #valid(key: KeyObject, raw: Readonly<Record<string, unknown>>, value: string): boolean {
    let bytes: Buffer;
    try {
      bytes = signedBytes(this.#topic, raw);
    } catch {
      return false;
    }
    return verify(null, bytes, key, Buffer.from(value, 'base64'));
  }
}

/** Why a key is not valid now. Without a trusted clock nobody can say that its end is not past. */
function outside({ notBeforeMs, notAfterMs }: CommandKey, { wallMs, clockTrusted }: { readonly wallMs: number; readonly clockTrusted: boolean }): string | undefined {
  if (!clockTrusted) return notBeforeMs === -Infinity && notAfterMs === Infinity ? undefined : "is valid for a time only, and the gate's clock is not set; sign with a key without notBefore and notAfter";
  if (wallMs < notBeforeMs) return `is not valid before ${new Date(notBeforeMs).toISOString()}`;
  return wallMs >= notAfterMs ? `is not valid since ${new Date(notAfterMs).toISOString()}` : undefined;
}

/** Reads a private key for signing. @throws GateError CLI_USAGE when it is no Ed25519 private key */
export function requireEd25519(read: () => KeyObject, from: string): KeyObject {
  let key: KeyObject | undefined;
  let why = 'it is of another kind';
  try {
    key = read();
  } catch (error) {
    why = errorText(error);
  }
  if (key?.asymmetricKeyType !== 'ed25519') throw new GateError('CLI_USAGE', `${from} is no Ed25519 private key (${why}); make one with gatectl platform keygen`);
  return key;
}
