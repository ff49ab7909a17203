import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { drained, freshDirectory, online, settings, startGate, startMosquitto, startPlatform, until, type Gate } from './support.js';

const jpegOf = (number: number, bytes = 4_000): Buffer => Buffer.concat([Buffer.from([0xff, 0xd8, number]), Buffer.alloc(bytes, number)]);
const idOf = (jpeg: Buffer): string => createHash('sha256').update(jpeg).digest('hex');

/** As the gate does: the files, then the event that names them. */
async function photographed(gate: Gate, number: number, bytes?: number): Promise<{ readonly frame: string; readonly plate: string }> {
  const passage = `p-${number}`;
  const frame = await gate.journal.saveEvidence(passage, 'frame', jpegOf(number, bytes));
  const plate = await gate.journal.saveEvidence(passage, 'plate', jpegOf(100 + number, 300));
  await gate.journal.append({ type: 'passage.photographed', lane: 'entry', passage, payload: { reason: 'decided', pictures: [frame, plate].map(({ id, kind, bytes: size }) => ({ kind, id, bytes: size })) } });
  return { frame: frame.id, plate: plate.id };
}

describe('photographs', () => {
  it('go to the platform whole, in order, after the event that names them, and once over a restart', async () => {
    const broker = await startMosquitto();
    const directory = freshDirectory();
    const order: string[] = [];
    const pictures = new Map<string, Buffer>();
    const platform = await startPlatform({
      url: broker.url,
      acknowledge: false,
      onEvent: (_, event) => void order.push(event.id),
      onPhotograph: (_, id, jpeg) => {
        order.push(id);
        pictures.set(id, jpeg);
      },
    });
    const more = { photographs: 'all' as const, photographsKBPerS: 10_000 };
    const gate = await startGate(settings(broker.url, more), { directory });
    await online(gate);
    const first = await photographed(gate, 1);
    await until(() => order.length === 1, { what: 'the event' });
    expect(order).toHaveLength(1);
    platform.acknowledge(true);
    await until(() => pictures.size === 2, { what: 'the photographs' });
    expect(order.slice(1)).toEqual([first.frame, first.plate]);
    expect([...pictures].map(([id, jpeg]) => idOf(jpeg) === id)).toEqual([true, true]);
    await gate.uplink.stop();
    await gate.journal.stop();
    const again = await startGate(settings(broker.url, more), { directory });
    await online(again);
    const second = await photographed(again, 2);
    await until(() => pictures.has(second.plate), { what: 'the photographs after the restart' });
    expect(order.filter((entry) => entry === first.frame)).toHaveLength(1);
    expect(platform.faults).toBe(0);
  });

  it('of before they were asked for stay at the gate, and so do frames where only plates are wanted', async () => {
    const broker = await startMosquitto();
    const directory = freshDirectory();
    const arrived: string[] = [];
    await startPlatform({ url: broker.url, onPhotograph: (_, id) => void arrived.push(id) });
    const silent = await startGate(settings(broker.url), { directory });
    await online(silent);
    const before = await photographed(silent, 1);
    await drained(silent);
    await silent.uplink.stop();
    await silent.journal.stop();
    const gate = await startGate(settings(broker.url, { photographs: 'plate', photographsKBPerS: 10_000 }), { directory });
    await online(gate);
    const after = await photographed(gate, 2);
    await until(() => arrived.length > 0, { what: 'a photograph' });
    await drained(gate);
    expect(arrived).toEqual([after.plate]);
    expect(arrived).not.toContain(before.plate);
  });

  it('that are gone or too large for the broker hold up nothing, and the latter is told', async () => {
    const broker = await startMosquitto(['allow_anonymous true', 'max_packet_size 8000']);
    const directory = freshDirectory();
    const arrived: string[] = [];
    const platform = await startPlatform({ url: broker.url, acknowledge: false, onPhotograph: (_, id) => void arrived.push(id) });
    const gate = await startGate(settings(broker.url, { photographs: 'all', photographsKBPerS: 10_000 }), { directory });
    await online(gate);
    const gone = await photographed(gate, 1);
    const large = await photographed(gate, 2, 20_000);
    const last = await photographed(gate, 3);
    rmSync(join(directory, 'evidence', gone.frame.slice(0, 2), `${gone.frame.slice(2)}.jpg`));
    platform.acknowledge(true);
    await until(() => arrived.includes(last.plate), { what: 'the last photograph' });
    expect(arrived).toEqual([gone.plate, large.plate, last.frame, last.plate]);
    expect(gate.uplink.state().lastError).toMatchObject({ code: 'MESSAGE_TOO_LARGE' });
    expect(gate.uplink.state().connects).toBe(1);
  });
});
