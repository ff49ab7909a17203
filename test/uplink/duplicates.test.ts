import { connectAsync } from 'mqtt';
import { describe, expect, it } from 'vitest';
import { Line } from './line.js';
import { saying } from './scripted-broker.js';
import { drained, duplicatesOf, freshDirectory, online, passage, quick, settings, startGate, startMosquitto, startPlatform, until } from './support.js';

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

  it('that this gate takes over from its own dead connection, or after a restart, is no duplicate', async () => {
    const broker = await startMosquitto();
    const line = await Line.to(broker.port);
    const directory = freshDirectory();
    const before = await startGate(settings(line.url), { directory });
    await online(before);
    for (let time = 0; time < 4; time += 1) {
      const { connects } = before.uplink.state();
      line.cut();
      await until(() => before.uplink.state().connects > connects && before.uplink.state().connection === 'online', { what: 'the reconnect' });
    }
    await before.uplink.stop();
    await before.journal.stop();
    const after = await startGate(settings(broker.url), { directory });
    await online(after);
    await after.journal.append(passage(1));
    const platform = await startPlatform({ url: broker.url });
    await drained(after);
    expect(platform.status('laurel', 'east')).toMatchObject({ state: 'online', epoch: 2 });
    expect(after.uplink.state().duplicate).toBeNull();
    expect(await duplicatesOf(after, 'uplink.duplicate-client')).toEqual([]);
  });
});
