import { mkdtemp, rm, writeFile, chmod, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isGateError } from '../../src/base/index.js';
import { configKeys, configShape, explainConfig, loadConfig, maskText, readSecret, redact, systemSecretIo, type SecretIo } from '../../src/config/index.js';

const EXAMPLES = fileURLToPath(new URL('../../src/config/examples/', import.meta.url));

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gate-config-'));
});
afterEach(() => rm(folder, { recursive: true }));

const file = async (text: string | Uint8Array): Promise<string> => {
  const path = join(folder, 'gate.yaml');
  await writeFile(path, text);
  return path;
};

const MINIMAL = `
site: {id: s, name: S}
gate: {id: g, name: G, dataDirectory: data}
devices: [{id: world, driver: sim}]
cameras:
  - {id: one, source: {kind: file, path: ../garage.mp4}}
  - {id: two, source: {kind: directory, path: /pictures}}
  - {id: three, source: {kind: rtsp, url: "rtsp://camera/x", username: u, password: {file: secrets/camera}}}
  - {id: four, source: {kind: http, url: "http://camera/x"}}
  - {id: five, source: {kind: rtsp, url: "rtsp://camera/y"}}
lanes:
  - id: entry
    name: In
    direction: entry
    barrier: {closing: barrier-closes, open: {device: world, line: entry.open}}
    inputs: {approach: {device: world, line: entry.approach}, closing: {device: world, line: entry.closing}}
vision: {models: models}
uplink: {broker: {url: "mqtts://p:8883", username: u, password: {env: GATE_BROKER}, ca: ca.pem, certificate: gate.pem, key: {file: gate.key}}}
`;

describe('loading', () => {
  it('fills in the defaults and reads relative paths from the folder of the file', async () => {
    const config = await loadConfig(await file(MINIMAL));
    expect(config.gate.dataDirectory).toBe(join(folder, 'data'));
    expect(config.cameras.map(({ source }) => ('path' in source ? source.path : source.kind))).toEqual([join(folder, '../garage.mp4'), '/pictures', 'rtsp', 'http', 'rtsp']);
    expect(config.cameras[2]?.source).toMatchObject({ password: { file: join(folder, 'secrets/camera') } });
    expect(config.vision.models).toBe(join(folder, 'models'));
    expect(config.uplink.broker).toMatchObject({ password: { env: 'GATE_BROKER' }, ca: join(folder, 'ca.pem'), certificate: join(folder, 'gate.pem'), key: { file: join(folder, 'gate.key') } });
    expect(config.access).toMatchObject({ openingConfidence: 0.9, outside: { policy: 'refuse' }, exit: 'free', lookAlike: { enabled: true, leastConfidence: 0.8 }, emergency: [] });
    expect(config.site.timezone).toBe('Asia/Shanghai');
  });

  it('loads the simulation as it is, broker included', async () => {
    const config = await loadConfig(join(EXAMPLES, 'simulation.yaml'));
    expect(config.uplink.broker).toBe('embedded');
    expect(config.lanes.map(({ id }) => id)).toEqual(['entry', 'exit']);
  });

  it('tells all faults in one error, with the name of the file', async () => {
    const path = await file(MINIMAL.replace('id: s,', 'id: S,').replace('name: In', 'naem: In'));
    const error: unknown = await loadConfig(path).catch((thrown: unknown) => thrown);
    expect(isGateError(error, 'CONFIG_INVALID')).toBe(true);
    expect(String(error)).toContain('gate.yaml: 3 faults');
    expect(String(error)).toContain('gate.yaml:13:5  lanes[0].naem');
    expect(isGateError(error) && error.context).toMatchObject({ path, faults: [{ path: 'site.id' }, { path: 'lanes[0].name' }, { path: 'lanes[0].naem' }] });
  });

  it('says what to do where the file cannot be read', async () => {
    await expect(loadConfig(join(folder, 'none.yaml'))).rejects.toThrow(/CONFIG_UNREADABLE: .*none\.yaml: there is no such file; copy one of the examples/u);
    await expect(loadConfig(folder)).rejects.toThrow('it is a folder; name the file in it');
    await expect(loadConfig(join(await file(MINIMAL), 'x'))).rejects.toThrow(/CONFIG_UNREADABLE: .*ENOTDIR/u);
    await expect(loadConfig(await file(Uint8Array.from([0xd4, 0xc2, 0xb9, 0xf0])))).rejects.toThrow('not UTF-8 text; save it as UTF-8 (GBK is not understood)');
    await expect(loadConfig(await file(new Uint8Array(33 * 1024 * 1024)))).rejects.toThrow('are too many for a configuration');
  });

  it.skipIf(process.getuid?.() === 0)('says so where it may not be read', async () => {
    const path = await file(MINIMAL);
    await chmod(path, 0);
    await expect(loadConfig(path)).rejects.toThrow('this user may not read it');
  });
});

describe('secrets', () => {
  const io = (files: Readonly<Record<string, string>>, env: Readonly<Record<string, string>> = {}): SecretIo => ({
    env,
    readFile: (path) => {
      const text = files[path];
      if (text !== undefined) return Promise.resolve(text);
      return Promise.reject(Object.assign(new Error('no'), { code: path === 'locked' ? 'EACCES' : path === 'bus' ? 'EIO' : 'ENOENT' }));
    },
  });

  it.each([
    ['hunter2', 'hunter2'],
    ['hunter2\n', 'hunter2'],
    ['hunter2\r\n', 'hunter2'],
    [' hunter 2 \n', ' hunter 2 '],
    ['-----BEGIN-----\nx\n-----END-----\n', '-----BEGIN-----\nx\n-----END-----'],
  ])('reads %j from a file', async (text, secret) => {
    expect(await readSecret({ file: 'a' }, io({ a: text }))).toBe(secret);
  });

  it('reads the environment and real files', async () => {
    expect(await readSecret({ env: 'A' }, io({}, { A: 'hunter2' }))).toBe('hunter2');
    await mkdir(join(folder, 'secrets'));
    await writeFile(join(folder, 'secrets/x'), 'hunter2\n');
    expect(await readSecret({ file: join(folder, 'secrets/x') })).toBe('hunter2');
    expect(systemSecretIo.env['PATH']).toBe(process.env['PATH']);
  });

  it.each([
    [{ env: 'NONE' }, 'SECRET_UNREADABLE: the environment variable NONE is not set; set it for the service'],
    [{ env: 'EMPTY' }, 'the environment variable EMPTY is empty'],
    [{ file: 'none' }, "the secret's file none is not there; create it with the secret alone in it"],
    [{ file: 'locked' }, "may not be read by this user; make the service's user its owner, mode 0400"],
    [{ file: 'bus' }, 'cannot be read'],
    [{ file: 'empty' }, 'is empty; write the secret alone into it'],
  ])('%j: %s', async (ref, message) => {
    await expect(readSecret(ref, io({ empty: '\n' }, { EMPTY: '' }))).rejects.toThrow(message);
  });

  it('printing shows references and hides everything else', () => {
    expect(
      redact({
        broker: { url: 'mqtts://u:p@ss/w@host:8883', password: 'hunter2', key: { file: 'gate.key' }, token: { value: 'hunter2' } },
        camera: { url: 'http://cam/snap?user=a&password=hunter2&size=1', password: { env: 'CAM' } },
        list: [1, true, null, undefined],
        gone: undefined,
      }),
    ).toEqual({
      broker: { url: 'mqtts://***@host:8883', password: '(not shown)', key: { file: 'gate.key' }, token: '(not shown)' },
      camera: { url: 'http://cam/snap?user=a&password=***&size=1', password: { env: 'CAM' } },
      list: [1, true, null, null],
    });
    expect(maskText('rtsp://camera/x')).toBe('rtsp://camera/x');
  });
});

describe('explaining', () => {
  const keys = configKeys();

  it('knows every key with type, default and description, and none twice', () => {
    expect(new Set(keys.map(({ path }) => path)).size).toBe(keys.length);
    for (const key of keys) {
      expect(key.description, key.path).not.toBe('');
      expect(key.type, key.path).not.toBe('');
    }
    expect(keys).toContainEqual({ path: 'lanes[].barrier.pulseMs', type: 'whole number, 100 to 2000', required: false, default: '400', description: 'length of the open, close and stop contact', example: null });
    expect(keys).toContainEqual(expect.objectContaining({ path: 'devices[driver=modbus].units[].profile', type: 'one of generic, waveshare-relay, procon-ld120, lc-modbus-8r', default: 'generic' }));
    expect(keys).toContainEqual(expect.objectContaining({ path: 'access.outside[policy=admit-for-hours].hours', type: 'number, 0.25 to 72', required: true, example: '2' }));
    expect(keys).toContainEqual(expect.objectContaining({ path: 'uplink.broker.url', required: true }));
    expect(keys).toContainEqual(expect.objectContaining({ path: 'site.timezone', default: 'Asia/Shanghai', required: false }));
  });

  it('prints them for a terminal, all or some', () => {
    expect(explainConfig('pulseMs')).toBe('lanes[].barrier.pulseMs\n    whole number, 100 to 2000; default 400\n    length of the open, close and stop contact');
    expect(explainConfig('gate.dataDirectory')).toBe('gate.dataDirectory\n    text; required\n    the one writable directory\n    e.g. /var/lib/laurel-gate');
    expect(explainConfig().split('\n').length).toBeGreaterThan(200);
    expect(explainConfig('no such key')).toBe('');
  });

  it('gives the same as a JSON Schema for editors and forms', () => {
    expect(configShape).toMatchObject({ type: 'object', additionalProperties: false, required: ['site', 'gate', 'devices', 'lanes'] });
  });
});
