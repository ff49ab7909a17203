import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { silentLog } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { configSchema } from '../../src/config/index.js';
import { Gate } from '../../src/daemon/index.js';
import { contractDocument } from '../../src/platform/index.js';
import { ReferencePlatform } from '../../src/uplink/index.js';
import { until } from '../support/until.js';

it('a whole gate with traffic says nothing that its contract does not know', async () => {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'laurel-contract-'));
  const lane = (id: 'entry' | 'exit'): object => ({
    id,
    name: id,
    direction: id,
    barrier: { closing: 'gateway-closes', open: { device: 'world', line: `${id}.open` }, close: { device: 'world', line: `${id}.close` }, openTimeMs: 1_400, closeTimeMs: 1_600 },
    inputs: Object.fromEntries(['approach', 'closing', 'beam', 'openLimit', 'closedLimit'].map((name) => [name, { device: 'world', line: `${id}.${name}` }])),
  });
  const said: { topic: string; message: unknown }[] = [];
  let platform: ReferencePlatform | undefined;
  const gate = new Gate({
    config: configSchema.parse({ site: { id: 'laurel', name: 'laurel' }, gate: { id: 'east', name: 'east', dataDirectory }, devices: [{ id: 'world', driver: 'sim', scenario: 'estate' }], lanes: [lane('entry'), lane('exit')], web: { port: 0 } }),
    secrets: { cameraPasswords: new Map(), uplink: {} },
    clock: systemClock,
    log: silentLog,
    version: 'test',
    random: Math.random,
    printCode: () => undefined,
    hooks: {
      onBroker: async (url) => {
        platform = new ReferencePlatform({ url, log: silentLog, protocol: '3.1.1' });
        await platform.start();
        for (const topic of ['status', 'event', 'list/report'] as const) platform.hear(topic, (_gate, message) => said.push({ topic, message }));
      },
    },
  });
  const types = new Set<string>();
  gate.journal.onStored((events) => {
    for (const { type } of events) types.add(type);
  });
  await gate.start();
  try {
    await until(() => types.has('passage.started') && types.has('passage.decided'), { timeoutMs: 40_000, what: 'a vehicle' });
    await gate.command({ id: 'c1', lane: 'entry', target: 'open', issuer: 'console:li', reason: 'delivery' });
    await expect(gate.command({ id: 'c1', lane: 'entry', target: 'open', issuer: 'console:li', reason: 'delivery' })).rejects.toThrow('duplicate');
    await until(() => types.has('passage.ended') && types.has('boom.closing'), { timeoutMs: 40_000, what: 'a passage and a closing' });
  } finally {
    await gate.drained(5_000);
    await gate.stop('test ended');
    await platform?.stop();
    rmSync(dataDirectory, { recursive: true, force: true });
  }
  const { messages, schemas } = z.object({ messages: z.record(z.string(), z.object({ payload: z.object({ $ref: z.string() }) })), schemas: z.record(z.string(), z.unknown()) }).parse(contractDocument('test')['components']);
  const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
  ajv.addSchema({ $id: 'contract', components: { schemas } });
  for (const { topic, message } of said) {
    const name = topic === 'list/report' ? 'listReport' : topic;
    const fits = ajv.compile({ $ref: `contract${messages[name]?.payload.$ref ?? ''}` });
    expect(fits(message), `${JSON.stringify(message)}: ${JSON.stringify(fits.errors)}`).toBe(true);
    if (topic !== 'event') continue;
    for (const { type } of z.object({ events: z.array(z.object({ type: z.string() })) }).parse(message).events) expect(schemas).toHaveProperty([`payload.${type}`]);
  }
  expect(said.length).toBeGreaterThan(5);
  expect([...types]).toEqual(expect.arrayContaining(['gate.started', 'passage.started', 'passage.decided', 'boom.opening', 'command.accepted', 'command.done', 'command.refused', 'boom.closing', 'passage.ended']));
});
