import { randomUUID, createPrivateKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { GateError, errorText } from '../base/index.js';
import { systemClock } from '../base/system-clock.js';
import { ReferencePlatform, commandMessageSchema, keyFingerprint, replyMessageSchema, signCommand, type CommandMessage, type GateName, type ReplyMessage } from '../uplink/index.js';
import { exitStatus } from './context.js';
import { print } from './output.js';
import { heard, lineOptions, type LineOptions } from './platform-line.js';

export interface SendOptions extends LineOptions {
  readonly reason: string;
  readonly issuer: string;
  /** Seconds. */
  readonly expires: number;
  readonly id?: string | undefined;
  readonly sign?: string | undefined;
  readonly signAs?: string | undefined;
  readonly json: boolean;
}

/** After the expiry of a command: nothing that acts comes any more. */
const GRACE_MS = 10_000;

async function signingKey(path: string): Promise<KeyObject> {
  try {
    const key = createPrivateKey(await readFile(path));
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (cause) {
    throw new GateError('SECRET_UNREADABLE', `${path} is no private key that can be read: ${errorText(cause)}. openssl genpkey -algorithm ed25519 makes one.`, { path }, cause);
  }
  throw new GateError('SECRET_UNREADABLE', `${path} is no Ed25519 key; openssl genpkey -algorithm ed25519 makes one.`, { path });
}

/** `gatectl platform send`: one command, its replies, and the exit status that says how it ended. */
export async function sendCommand(name: GateName, target: string, lane: string, options: SendOptions): Promise<number> {
  const key = options.sign === undefined ? undefined : await signingKey(options.sign);
  const platform = new ReferencePlatform({ ...(await lineOptions(options)), takes: ['reply'] });
  await platform.start();
  try {
    const send = async (challenge: CommandMessage['challenge'], id: string): Promise<ReplyMessage> => {
      const checked = commandMessageSchema.safeParse({ id, issuer: options.issuer, expires: Math.round(systemClock.wallMs()) + options.expires * 1_000, lane, target, reason: options.reason, ...(challenge === undefined ? {} : { challenge }) });
      if (!checked.success) throw new GateError('CLI_USAGE', checked.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '));
      const command = key === undefined ? checked.data : signCommand(checked.data, name, { id: options.signAs ?? keyFingerprint(key), privateKey: key });
      return heard(name, 'reply to the command, which is void now', options.expires * 1_000 + GRACE_MS, (done) => {
        const stop = platform.hear('reply', (from, message) => {
          const reply = replyMessageSchema.parse(message);
          if (from.site !== name.site || from.gate !== name.gate || reply.id !== id) return;
          print(options.json ? JSON.stringify(reply) : wordsOf(reply));
          if (reply.state !== 'accepted') done(reply);
        });
        platform.send(name.site, name.gate, command);
        return stop;
      });
    };
    const id = options.id ?? randomUUID();
    let ended = await send(undefined, id);
    const { challenge } = ended;
    if (ended.code === 'COMMAND_CLOCK_UNSET' && challenge !== undefined) {
      // The gate does not know the time: a command that names its challenge is as old as the challenge at most.
      ended = await send({ nonce: challenge.nonce, withinMs: Math.min(challenge.validMs, options.expires * 1_000) }, `${id.slice(0, 60)}-2`);
    }
    return ended.state === 'done' ? exitStatus.ok : exitStatus.failed;
  } finally {
    await platform.stop();
  }
}

function wordsOf({ state, code, reason, lane }: ReplyMessage): string {
  return [`${lane === undefined ? '' : `${lane}: `}${state}`, ...(reason === undefined ? [] : [reason]), ...(code === undefined ? [] : [`[${code}]`])].join('  ');
}
