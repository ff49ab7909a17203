import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { connectAsync } from 'mqtt';
import { describe, expect, it } from 'vitest';
import type { ReferencePlatform } from '../../src/uplink/index.js';
import { Line } from './line.js';
import { saying } from './scripted-broker.js';
import { drained, duplicatesOf, freshDirectory, online, openJournal, passage, quick, settings, startGate, startMosquitto, startPlatform, until } from './support.js';

/** Waits for the next birth of a gate: the broker has taken it, and as soon as the gate knows, its connection is a good one. */
function births(platform: ReferencePlatform): () => Promise<unknown> {
  let lastMs = 0;
  return () =>
    until(
      () => {
        const status = platform.status('laurel', 'east');
        if (status?.state !== 'online' || status.atMs <= lastMs || status.instance === 'second') return false;
        lastMs = status.atMs;
        return true;
      },
      { what: 'the birth' },
    );
}

/** Publishes it again and again, until it was noticed: a gate that does not know yet that its own birth was taken lets one pass. */
async function statusOfSecondBox(url: string, noticed: () => boolean | Promise<boolean>): Promise<void> {
  const box = await connectAsync(url, { reconnectPeriod: 0 });
  await until(
    async () => {
      await box.publishAsync('laurel/v1/laurel/east/status', JSON.stringify({ state: 'online', epoch: 7, instance: 'second', atMs: 1, promise: 'platform', gate: {} }), { qos: 1, retain: true });
      return noticed();
    },
    { what: 'the second box to be noticed' },
  );
  await box.endAsync();
}

describe('a client id', () => {
  const twins = { backoffMs: 20, backoffMostMs: 100, stableMs: 60_000, duplicateQuietMs: 300 };

  it.each(['5', '3.1.1'] as const)('that a second box with the same gate id signs in with is reported on both, once, until the box is gone (MQTT %s)', async (protocol) => {
    const broker = await startMosquitto();
    const first = await startGate(settings(broker.url, { protocol }), { timing: { ...quick, ...twins } });
    await until(async () => (await first.journal.outbox()).head >= 0 && first.uplink.state().connection === 'online', { what: 'the first box online' });
    const second = await startGate(settings(broker.url, { protocol }), { timing: { ...quick, ...twins } });
    await until(() => first.uplink.state().duplicate !== null && second.uplink.state().duplicate !== null, { what: 'both to notice' });
    expect(first.uplink.state().duplicate?.message).toMatch(/^BROKER_CLIENT_ID_TAKEN: .*second box .*gate east of site laurel.*gate\.id of its own/u);
    expect(first.uplink.state().detail).toBe(first.uplink.state().duplicate?.message);
    expect(await duplicatesOf(first, 'uplink.recovered')).toEqual([]);
    await second.uplink.stop();
    await until(async () => (await duplicatesOf(first, 'uplink.recovered')).length === 1, { what: 'the all-clear' });
    expect(await duplicatesOf(first, 'uplink.duplicate-client')).toMatchObject([{ payload: { clientId: 'laurel-laurel-east', evidence: 'status', other: { epoch: 1 } } }]);
    expect(first.uplink.state()).toMatchObject({ connection: 'online', duplicate: null, detail: '' });
  });

  it.each(['5', '3.1.1'] as const)('that another program signs in with is told from a second box (MQTT %s)', async (protocol) => {
    const broker = await startMosquitto();
    const gate = await startGate(settings(broker.url, { protocol }), { timing: { ...quick, ...twins, duplicateQuietMs: 60_000 } });
    const platform = await startPlatform({ url: broker.url });
    for (let time = 0; gate.uplink.state().duplicate === null && time < 20; time += 1) {
      await until(() => gate.uplink.state().connection === 'online' && platform.status('laurel', 'east')?.state === 'online', { what: 'the gate online' });
      const connects = gate.uplink.state().connects;
      const other = await connectAsync(broker.url, { clientId: 'laurel-laurel-east', protocolVersion: protocol === '5' ? 5 : 4, reconnectPeriod: 0 });
      await until(() => gate.uplink.state().connects > connects, { what: 'the gate thrown out and back' });
      other.end(true);
    }
    expect(gate.uplink.state().duplicate?.message).toMatch(/^BROKER_CLIENT_ID_TAKEN: .*another client signs in with the client id laurel-laurel-east/u);
    await until(async () => (await duplicatesOf(gate, 'uplink.duplicate-client')).length === 1, { what: 'the record' });
    expect(await duplicatesOf(gate, 'uplink.duplicate-client')).toMatchObject([{ payload: { evidence: 'closed' } }]);
  });

  it('whose broker was put back to an older state, with a status of this gate before its last start, is no duplicate', async () => {
    const state = freshDirectory();
    const broker = await startMosquitto(['allow_anonymous true', 'persistence true', `persistence_location ${state}/`, 'autosave_interval 1800', 'user root']);
    const directory = freshDirectory();
    const before = await openJournal(directory);
    const old = await startGate(settings(broker.url), { opened: before });
    const platform = await startPlatform({ url: broker.url });
    const born = births(platform);
    await born();
    // mosquitto writes its state down.
    process.kill(broker.pid, 'SIGUSR1');
    await until(() => existsSync(join(state, 'mosquitto.db')), { what: 'the state of the broker' });
    await old.uplink.stop();
    await before.journal.stop();
    const gate = await startGate(settings(broker.url), { directory });
    await born();
    await broker.kill();
    await broker.start();
    await until(() => gate.uplink.state().connects === 2, { what: 'the gate back' });
    await born();
    await gate.journal.append(passage(1));
    await drained(gate);
    expect(gate.uplink.state().duplicate).toBeNull();
    expect(await duplicatesOf(gate, 'uplink.duplicate-client')).toEqual([]);
  });

  it.each(['5', '3.1.1'] as const)('is not thought to be used by others because its broker was restarted again and again (MQTT %s)', async (protocol) => {
    const broker = await startMosquitto();
    const platform = await startPlatform({ url: broker.url });
    const born = births(platform);
    // It comes back only when the broker is up again, and never finds it gone.
    const gate = await startGate(settings(broker.url, { protocol }), { timing: { ...quick, ...twins, backoffMs: 60, stableMs: 0 }, random: () => 0.99 });
    for (let restart = 0; restart < 5; restart += 1) {
      await born();
      await broker.kill();
      await broker.start();
      await until(() => gate.uplink.state().connects === restart + 2, { what: 'the gate back' });
    }
    await born();
    expect(gate.uplink.state().duplicate).toBeNull();
    expect(await duplicatesOf(gate, 'uplink.duplicate-client')).toEqual([]);
  });

  it('that the broker says was taken over is reported by the second time', async () => {
    const url = await saying((packet) => {
      if (packet.cmd === 'connect') return { cmd: 'connack', reasonCode: 0, sessionPresent: false };
      if (packet.cmd === 'subscribe') return { cmd: 'suback', messageId: packet.messageId ?? 0, granted: Array.from({ length: packet.subscriptions?.length ?? 1 }, () => 1) };
      return packet.cmd === 'publish' ? { cmd: 'disconnect', reasonCode: 0x8e } : undefined;
    });
    const gate = await startGate(settings(url), { timing: { ...quick, ...twins, duplicateQuietMs: 60_000 } });
    await until(() => gate.uplink.state().duplicate !== null, { what: 'the report' });
    expect(gate.uplink.state().duplicate?.message).toMatch(/another client signs in with the client id laurel-laurel-east \(2 times by now\)/u);
    await until(async () => (await duplicatesOf(gate, 'uplink.duplicate-client')).length === 1, { what: 'the record' });
    expect(await duplicatesOf(gate, 'uplink.duplicate-client')).toMatchObject([{ payload: { evidence: 'taken-over' } }]);
  });

  it('that a second box has shown itself with is not put down to another program by what the broker does afterwards', async () => {
    const broker = await startMosquitto();
    const line = await Line.to(broker.port);
    const platform = await startPlatform({ url: broker.url });
    const gate = await startGate(settings(line.url), { timing: { ...quick, ...twins, duplicateQuietMs: 60_000 } });
    const born = births(platform);
    await born();
    await statusOfSecondBox(broker.url, () => gate.uplink.state().duplicate !== null);
    for (let time = 0; time < 6; time += 1) {
      line.cut();
      await born();
    }
    expect(gate.uplink.state().duplicate?.message).toMatch(/second box .*its boot epoch is 7/u);
    expect(await duplicatesOf(gate, 'uplink.duplicate-client')).toMatchObject([{ payload: { evidence: 'status', other: { instance: 'second', epoch: 7 } } }]);
  });

  it('that another program seems to use is on record again when it is a second box for sure', async () => {
    const broker = await startMosquitto();
    const line = await Line.to(broker.port);
    const platform = await startPlatform({ url: broker.url });
    const gate = await startGate(settings(line.url), { timing: { ...quick, ...twins, duplicateQuietMs: 60_000 } });
    const born = births(platform);
    await born();
    // A cut that is quicker than the broker's receipt of the birth does not count.
    for (let time = 0; gate.uplink.state().duplicate === null && time < 20; time += 1) {
      line.cut();
      await born();
    }
    await until(async () => (await duplicatesOf(gate, 'uplink.duplicate-client')).length === 1, { what: 'the first record' });
    await statusOfSecondBox(broker.url, async () => (await duplicatesOf(gate, 'uplink.duplicate-client')).length === 2);
    expect(await duplicatesOf(gate, 'uplink.duplicate-client')).toMatchObject([{ payload: { evidence: 'closed', times: 3 } }, { payload: { evidence: 'status', other: { epoch: 7 } } }]);
    expect(gate.uplink.state().duplicate?.message).toMatch(/second box/u);
  });

  it('that this gate takes over from its own dead connection, or after a restart, is no duplicate', async () => {
    const broker = await startMosquitto();
    const line = await Line.to(broker.port);
    const directory = freshDirectory();
    const before = await startGate(settings(line.url), { directory });
    await online(before);
    const watching = await startPlatform({ url: broker.url });
    const born = births(watching);
    for (let time = 0; time < 4; time += 1) {
      await born();
      const { connects } = before.uplink.state();
      line.leaveDead();
      expect(line.dead).toBe(1);
      await until(() => before.uplink.state().connects > connects && before.uplink.state().connection === 'online', { what: 'the reconnect' });
      await until(() => line.dead === 0, { what: 'the broker to end the dead connection' });
    }
    // The last will of a connection that was taken over comes after the new one's birth, and is not the last word.
    await until(() => watching.status('laurel', 'east')?.state === 'online', { what: 'the status online' });
    expect(before.uplink.state().duplicate).toBeNull();
    await watching.stop();
    await before.uplink.stop();
    await before.journal.stop();
    const after = await startGate(settings(broker.url), { directory });
    await online(after);
    await after.journal.append(passage(1));
    const platform = await startPlatform({ url: broker.url });
    await drained(after);
    await until(() => platform.status('laurel', 'east')?.epoch === 2, { what: 'the status of the second run' });
    expect(platform.status('laurel', 'east')).toMatchObject({ state: 'online' });
    expect(after.uplink.state().duplicate).toBeNull();
    expect(await duplicatesOf(after, 'uplink.duplicate-client')).toEqual([]);
  });
});
