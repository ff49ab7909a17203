import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { ManualClock, silentLog } from '../../src/base/index.js';
import { CommandDesk } from '../../src/uplink/command-desk.js';
import { CommandKeys, keyFingerprint } from '../../src/uplink/command-signature.js';
import { signCommand, topicOf, type CommandMessage, type GateCommand, type ReplyMessage } from '../../src/uplink/index.js';
import { freshDirectory, openJournal } from './support.js';

const topic = topicOf('laurel', 'east', 'command');
const rate = { burst: 3, perMinute: 60 };

async function desk(options: { trusted?: () => boolean; clock?: ManualClock; keys?: readonly { id: string; publicKey: string; notAfter?: string }[]; directory?: string } = {}) {
  const { journal, epoch } = await openJournal(options.directory ?? freshDirectory());
  const { clock = new ManualClock() } = options;
  const acted: GateCommand[] = [];
  const replies: ReplyMessage[] = [];
  const it = new CommandDesk({
    journal, epoch, clock, log: silentLog, rate, lanes: ['entry'], clockTrusted: options.trusted ?? (() => true), keys: new CommandKeys([...(options.keys ?? [])], topic),
    command: (command) => { acted.push(command); return Promise.resolve({ outcome: 'done' }); },
    reply: (reply) => void replies.push(reply),
  });
  await it.start();
  const send = async (command: CommandMessage, retained = false): Promise<ReplyMessage | undefined> => {
    await it.handle({ topic, payload: Buffer.from(JSON.stringify(command)), retained, correlation: undefined });
    return replies.at(-1);
  };
  const order = (id: string, more: Partial<CommandMessage> = {}): CommandMessage => ({ id, issuer: 'platform:alice', expires: clock.wallMs() + 30_000, lane: 'entry', target: 'open', reason: 'parcel', ...more });
  return { journal, clock, acted, replies, send, order };
}

const pair = (): { id: string; publicKey: string; privateKey: KeyObject } => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  return { id: keyFingerprint(publicKey), publicKey: publicKey.export({ format: 'pem', type: 'spki' }).toString(), privateKey };
};

describe('signed commands', () => {
  it('of either of two keys act; unsigned, altered, foreign, ended or meant for another gate they do not, and use no id up', async () => {
    const [one, two, ended, foreign] = [pair(), pair(), pair(), pair()];
    const { acted, send, order } = await desk({ keys: [one, two, { ...ended, notAfter: '2025-01-01T00:00:00Z' }].map(({ privateKey: _kept, ...open }) => open) });
    const here = { site: 'laurel', gate: 'east' };
    expect(await send(order('a'))).toMatchObject({ state: 'refused', code: 'COMMAND_UNSIGNED' });
    for (const bad of [signCommand(order('a'), { site: 'laurel', gate: 'west' }, one), { ...signCommand(order('a'), here, one), target: 'hold' as const }, signCommand(order('a'), here, foreign), signCommand(order('a'), here, ended)]) {
      expect(await send(bad)).toMatchObject({ state: 'refused', code: 'COMMAND_SIGNATURE_INVALID' });
    }
    expect(acted).toEqual([]);
    expect(await send(signCommand(order('a'), here, one))).toMatchObject({ state: 'done' });
    expect(await send(signCommand(order('b'), here, two))).toMatchObject({ state: 'done' });
    expect(acted.map(({ id }) => id)).toEqual(['a', 'b']);
  });
});

describe('commands', () => {
  it('of one issuer are limited, and neither another issuer nor a fire order waits for them', async () => {
    const { acted, clock, send, order } = await desk();
    for (const id of ['1', '2', '3']) expect(await send(order(id))).toMatchObject({ state: 'done' });
    expect(await send(order('4'))).toMatchObject({ state: 'refused', code: 'COMMAND_RATE_LIMITED' });
    expect(await send(order('5', { issuer: 'platform:bob' }))).toMatchObject({ state: 'done' });
    expect(await send(order('6', { target: 'fire' }))).toMatchObject({ state: 'done' });
    clock.advance(1_000);
    expect(await send(order('7'))).toMatchObject({ state: 'done' });
    expect(acted.map(({ id }) => id)).toEqual(['1', '2', '3', '5', '6', '7']);
  });

  it('act without a clock only when they name the challenge in time', async () => {
    const { acted, clock, send, order } = await desk({ trusted: () => false });
    const first = await send(order('1', { target: 'fire' }));
    expect(first).toMatchObject({ state: 'refused', code: 'COMMAND_CLOCK_UNSET' });
    const nonce = first?.challenge?.nonce ?? '';
    expect(await send(order('2', { challenge: { nonce, withinMs: 5_000 } }))).toMatchObject({ state: 'done' });
    clock.advance(6_000);
    expect(await send(order('3', { challenge: { nonce, withinMs: 5_000 } }))).toMatchObject({ state: 'refused', code: 'COMMAND_EXPIRED' });
    expect(acted.map(({ id }) => id)).toEqual(['2']);
  });

  it('that come again and again are answered from memory, but not without end', async () => {
    const { acted, clock, replies, send, order } = await desk();
    const again = order('1', { expires: clock.wallMs() + 3_600_000 });
    for (let time = 0; time < 2_000; time += 1) await send(again);
    expect(acted).toHaveLength(1);
    expect(replies.length).toBeGreaterThan(50);
    expect(replies.length).toBeLessThan(100);
    const before = replies.length;
    clock.advance(1_000);
    expect(await send(again)).toMatchObject({ state: 'done' });
    expect(replies).toHaveLength(before + 1);
    expect(acted).toHaveLength(1);
  });

  it('that named a challenge and an end in the far future do not keep later ones out, and act once all the same', async () => {
    let trusted = false;
    const clock = new ManualClock();
    const { journal, acted, send, order } = await desk({ trusted: () => trusted, clock });
    const expires = Date.UTC(2999, 0);
    const id = (number: number): string => `far-${number}`;
    let nonce = '';
    for (let number = 0; number < 5_100; number += 1) {
      clock.advance(1_000);
      // A challenge lives for a minute.
      if (number % 20 === 0) nonce = (await send(order(`ask-${number}`, { issuer: 'platform:bob' })))?.challenge?.nonce ?? '';
      expect(await send(order(id(number), { expires, challenge: { nonce, withinMs: 60_000 } })), id(number)).toMatchObject({ state: 'done' });
    }
    const twice = order(id(5_099), { expires, challenge: { nonce, withinMs: 60_000 } });
    expect(await send(twice)).toMatchObject({ state: 'done' });
    expect(acted).toHaveLength(5_100);
    trusted = true;
    expect(await send(order('at-last'))).toMatchObject({ state: 'done' });
    clock.advance(60_000);
    // The oldest are forgotten by now; their challenge is over.
    expect(await send(order(id(0), { expires, challenge: { nonce, withinMs: 60_000 } }))).toMatchObject({ state: 'refused' });
    expect(acted).toHaveLength(5_101);
    expect((await journal.recallAll('command/')).size).toBeLessThanOrEqual(5_000);
  });

  it('that were refused stay refused over a restart, and an id cannot be used for something else', async () => {
    const directory = freshDirectory();
    const first = await desk({ directory, trusted: () => false });
    const refused = first.order('1');
    await first.send(refused);
    await first.journal.stop();
    const second = await desk({ directory });
    expect(await second.send(refused)).toMatchObject({ state: 'refused', code: 'COMMAND_CLOCK_UNSET' });
    await second.send(second.order('2'));
    expect(await second.send(second.order('2', { target: 'close' }))).toMatchObject({ state: 'refused', code: 'COMMAND_DUPLICATE' });
    expect(second.acted.map(({ target }) => target)).toEqual(['open']);
  });
});
