import { describe, expect, it } from 'vitest';
import { generate } from 'mqtt-packet';
import { MqttProxy, type Rule } from '../../scripts/faults/mqtt-proxy.js';
import { atEnd, drained, online, passage, quick, settings, startGate, startMosquitto, startPlatform, until, type Gate } from './support.js';

async function badLine(): Promise<{ readonly proxy: MqttProxy; readonly brokerUrl: string }> {
  const broker = await startMosquitto();
  const proxy = await MqttProxy.to(broker.port);
  atEnd(() => proxy.stop());
  return { proxy, brokerUrl: broker.url };
}

/** Swallows the first packet of the broker of this kind. */
function swallowOnce(cmd: 'puback' | 'suback', after = 0): Rule {
  let seen = 0;
  return ({ direction, packet }) => {
    if (direction !== 'down' || packet.cmd !== cmd) return undefined;
    seen += 1;
    return seen === after + 1 ? { forward: [] } : undefined;
  };
}

const message = (gate: Gate): string => gate.uplink.state().lastError?.message ?? '';

describe('a broker that answers pings only', () => {
  it.each(['5', '3.1.1'] as const)('and owes the answer to an event is left: the window does not stay full for ever (MQTT %s)', async (protocol) => {
    const { proxy, brokerUrl } = await badLine();
    const platform = await startPlatform({ url: brokerUrl });
    // The answer to the birth comes. Telemetry is sent every second, and answered by nobody.
    proxy.rule = swallowOnce('puback', 1);
    const gate = await startGate(settings(proxy.url, { window: 1, batch: 1, protocol }), { timing: { ...quick, answerMs: 1_500 } });
    await online(gate);
    await gate.journal.append(passage(1));
    await gate.journal.append(passage(2));
    await drained(gate);
    expect(gate.uplink.state().connects).toBe(2);
    expect(message(gate)).toMatch(/^BROKER_UNREACHABLE: .*has not answered a message for 1\.5 s; the gate signs in anew/u);
    expect(platform.ledger('laurel', 'east')).toMatchObject({ events: 2, conflicting: [], reordered: [], missing: [] });
  });

  it('and not the subscription is left, and signed in to anew', async () => {
    const { proxy } = await badLine();
    proxy.rule = swallowOnce('suback');
    const gate = await startGate(settings(proxy.url), { timing: { ...quick, answerMs: 300 } });
    await online(gate);
    expect(proxy.arrivals).toBe(2);
    expect(message(gate)).toMatch(/has not answered a message for 0\.3 s/u);
  });

  it('is told from one that is slow: that one is not left', async () => {
    const { proxy, brokerUrl } = await badLine();
    const platform = await startPlatform({ url: brokerUrl });
    const gate = await startGate(settings(proxy.url, { window: 6, batch: 1 }), { timing: { ...quick, answerMs: 800 } });
    await online(gate);
    // Every answer comes 300 ms after the one before: the last of a window after more than twice the time one may take.
    let last = Promise.resolve();
    proxy.rule = ({ direction, packet, bytes, connection }) => {
      if (direction !== 'down' || packet.cmd !== 'puback') return undefined;
      last = last.then(() => new Promise((resolve) => setTimeout(resolve, 300))).then(() => connection.send('down', bytes));
      return { forward: [] };
    };
    await Promise.all(Array.from({ length: 8 }, (_, number) => gate.journal.append(passage(number))));
    await drained(gate);
    await until(() => gate.uplink.state().inFlight === 0, { what: 'all answers' });
    expect(gate.uplink.state()).toMatchObject({ connects: 1, lastError: null });
    expect(platform.ledger('laurel', 'east')).toMatchObject({ events: 8, repeated: 0 });
  });
});

describe('a broker that says goodbye', () => {
  it('and leaves the line open is not waited for', async () => {
    const { proxy, brokerUrl } = await badLine();
    const platform = await startPlatform({ url: brokerUrl });
    const gate = await startGate(settings(proxy.url));
    await online(gate);
    const { connection } = proxy;
    connection?.send('down', generate({ cmd: 'disconnect', reasonCode: 0x8b }, { protocolVersion: 5 }));
    await until(() => connection?.over === true, { what: 'the gate gone from there' });
    await gate.journal.append(passage(1));
    await drained(gate);
    expect(gate.uplink.state().connects).toBe(2);
    expect(message(gate)).toMatch(/the broker ended the connection: Server shutting down \(0x8b\)/u);
    expect(platform.ledger('laurel', 'east')).toMatchObject({ events: 1, missing: [] });
  });
});

describe('an acknowledgement', () => {
  it("with the hash of another box's event lets nothing go, and is put on record; one with this gate's own does", async () => {
    const { proxy, brokerUrl } = await badLine();
    const platform = await startPlatform({ url: brokerUrl, acknowledge: false });
    const gate = await startGate(settings(proxy.url));
    await online(gate);
    const last = await Promise.all([1, 2, 3].map((number) => gate.journal.append(passage(number))));
    await until(() => platform.ledger('laurel', 'east').events === 3, { what: 'the events at the platform' });
    platform.post({ site: 'laurel', gate: 'east' }, 'ack', { epoch: 1, seq: 3, hash: '0'.repeat(64) });
    await until(() => gate.uplink.state().duplicate !== null, { what: 'the report' });
    expect(gate.uplink.state().acknowledged).toBe(0);
    expect(gate.uplink.state().duplicate?.message).toMatch(/another event under number 3 of gate east .*switch off the one that was replaced/u);
    await until(async () => (await gate.journal.events({ types: ['uplink.duplicate-client'], limit: 2 })).length === 1, { what: 'the record' });
    expect(await gate.journal.events({ types: ['uplink.duplicate-client'], limit: 2 })).toMatchObject([{ payload: { evidence: 'record', seq: 3 } }]);
    platform.post({ site: 'laurel', gate: 'east' }, 'ack', { epoch: 1, seq: 3, hash: last[2]?.hash });
    await until(() => gate.uplink.state().acknowledged === 3, { what: 'the acknowledgement taken' });
  });
});
