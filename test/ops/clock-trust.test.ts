import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ManualClock, silentLog } from '../../src/base/index.js';
import { ClockTrust, clockHealth, parseTimesync, parseTracking, readClockEvidence, weighEvidence, type ClockEvidence, type ClockMemory } from '../../src/ops/index.js';

const summer2026 = Date.UTC(2026, 6, 1);
const hourMs = 3_600_000;
const yearMs = 365 * 86_400_000;

const byNtp: ClockEvidence = { state: 'disciplined', source: 'ntp' };
const byNobody: ClockEvidence = { state: 'unset', source: null };
const bySilence: ClockEvidence = { state: 'silent', source: 'assumed' };

/** The bound follows the clock once a second or so. */
const minutes = (ms: number): number => Math.round(ms / 60_000) * 60_000;

/** A box: its clock, what it says about it, and what the gate told of it, in order. */
function box(startWallMs: number, evidence: ClockEvidence, memory: ClockMemory | null = { boundMs: 0, known: null }) {
  const clock = new ManualClock(startWallMs);
  const told: object[] = [];
  const machine = { evidence };
  const trust = new ClockTrust({
    clock,
    log: silentLog,
    evidence: () => Promise.resolve(machine.evidence),
    onStep: ({ deltaMs, trusted, source }) => told.push({ step: deltaMs, trusted, source }),
    onTrusted: ({ source }) => told.push({ trusted: source }),
    onBackwards: ({ boundMs, wallMs }) => told.push({ backwards: minutes(boundMs - wallMs) }),
    onBoundLowered: ({ fromMs, toMs }) => told.push({ lowered: minutes(fromMs - toMs) }),
  });
  trust.start();
  if (memory !== null) trust.remember(memory);
  const pass = (ms: number): Promise<void> => clock.advanceAsync(ms);
  /** Sets wall time, and what stands behind it from then on. */
  const set = (deltaMs: number, behind: ClockEvidence): void => {
    clock.stepWall(deltaMs);
    machine.evidence = behind;
  };
  return { clock, trust, told, machine, pass, set };
}

describe('trust in the clock', () => {
  it('comes with the time service, once, and not before the record of earlier times was read', async () => {
    const { trust, told, machine, pass } = box(summer2026, byNobody, null);
    await pass(30_000);
    machine.evidence = byNtp;
    await pass(30_000);
    expect(trust.trusted()).toBe(false);
    trust.remember({ boundMs: summer2026, known: null });
    await pass(30_000);
    expect(trust.trusted()).toBe(true);
    expect(told).toEqual([{ trusted: 'ntp' }]);
  });

  it('is not given to a time that somebody set while the record of earlier times was still being read', async () => {
    const { trust, told, pass, set } = box(summer2026, byNtp, null);
    await pass(2_000);
    set(yearMs, byNobody);
    trust.remember({ boundMs: summer2026, known: null });
    await pass(30_000);
    expect(trust.trusted()).toBe(false);
    expect(trust.state().boundMs).toBe(summer2026);
    expect(told).toEqual([{ step: yearMs, trusted: false, source: null }]);
  });

  it('a box that wakes in 1970 is believed once the network has set its clock, and the step is told with who stands behind it', async () => {
    const { trust, told, pass, set } = box(5_000, byNobody);
    await pass(20_000);
    expect(trust.trusted()).toBe(false);
    set(summer2026, byNtp);
    await pass(2_000);
    expect(trust.trusted()).toBe(true);
    expect(told).toEqual([{ backwards: Date.UTC(2026, 0, 1) }, { step: summer2026, trusted: true, source: 'ntp' }, { trusted: 'ntp' }]);
  });

  it('a service that says 1970 is not believed either', async () => {
    const { trust, pass } = box(5_000, byNtp);
    await pass(2 * hourMs);
    expect(trust.trusted()).toBe(false);
  });

  it('tells steps both ways and keeps silent about slewing', async () => {
    const { clock, trust, told, pass, set } = box(summer2026, byNtp);
    for (let second = 0; second < 10; second += 1) {
      clock.stepWall(1);
      await pass(1_000);
    }
    expect(told).toEqual([{ trusted: 'ntp' }]);
    set(2_000, byNtp);
    await pass(1_000);
    set(-3_000, byNtp);
    await pass(1_000);
    expect(told.slice(1)).toEqual([{ step: 2_000, trusted: true, source: 'ntp' }, { trusted: 'ntp' }, { step: -3_000, trusted: true, source: 'ntp' }, { trusted: 'ntp' }]);
    expect(trust.state().steps).toBe(2);
    trust.stop();
    clock.stepWall(9_000);
    await pass(5_000);
    expect(told.length).toBe(5);
  });

  it('no event of the moment between a step and its notice counts as trusted', async () => {
    const { clock, trust, pass } = box(summer2026, byNtp);
    await pass(1_000);
    clock.stepWall(yearMs);
    expect(trust.trusted()).toBe(false);
  });

  it('believes a plausible time where nothing can be asked, as in a container, but remembers none of it', async () => {
    const { trust, pass } = box(summer2026, bySilence);
    await pass(1_000);
    expect(trust.trusted()).toBe(true);
    expect(trust.vouched()).toBe(false);
    expect(trust.state().boundMs).toBeLessThan(summer2026);
  });
});

describe('a clock that is set', () => {
  it('back to 1970 by hand, with no service, is not believed and told once; set right by hand it is again', async () => {
    const { trust, told, pass, set } = box(summer2026, byNtp);
    await pass(60_000);
    set(-summer2026, byNobody);
    await pass(600_000);
    expect(trust.trusted()).toBe(false);
    expect(trust.state().backwards).toBe(true);
    expect(clockHealth(trust.state()).detail).toMatch(/^time ran backwards/u);
    set(summer2026, byNobody);
    await pass(2_000);
    expect(trust.trusted()).toBe(true);
    expect(clockHealth(trust.state())).toEqual({ state: 'ok' });
    expect(told).toEqual([
      { trusted: 'ntp' },
      { step: -summer2026, trusted: false, source: null },
      { backwards: summer2026 },
      { step: summer2026, trusted: true, source: 'ntp' },
      { trusted: 'ntp' },
    ]);
  });

  it('back to 1970, with a service, is believed again when the service has put it right', async () => {
    const { trust, told, pass, set } = box(summer2026, byNtp);
    await pass(60_000);
    set(-summer2026, byNobody);
    await pass(30_000);
    set(summer2026, byNtp);
    await pass(2_000);
    expect(trust.trusted()).toBe(true);
    expect(told.at(-1)).toEqual({ trusted: 'ntp' });
  });

  it('back by an hour by hand is not believed until an hour later, when a hardware clock agrees', async () => {
    const { trust, told, pass, set } = box(summer2026, byNtp);
    await pass(60_000);
    set(-hourMs, { state: 'agrees', source: 'rtc' });
    await pass(hourMs - 60_000);
    expect(trust.trusted()).toBe(false);
    expect(told.filter((one) => 'backwards' in one).length).toBe(1);
    await pass(70_000);
    expect(trust.trusted()).toBe(true);
  });

  it('back by an hour by a service counts once the service has stood by it for ten minutes, and that is told', async () => {
    const { trust, told, pass, set } = box(summer2026, byNtp);
    await pass(60_000);
    set(-hourMs, byNtp);
    await pass(580_000);
    expect(trust.trusted()).toBe(false);
    await pass(40_000);
    expect(trust.trusted()).toBe(true);
    expect(told.slice(1)).toEqual([{ step: -hourMs, trusted: false, source: null }, { backwards: hourMs }, { lowered: hourMs - 600_000 }, { trusted: 'ntp' }]);
  });

  it('a year ahead by hand and back again does no lasting harm', async () => {
    const { trust, told, pass, set } = box(summer2026, byNtp);
    await pass(60_000);
    set(yearMs, byNobody);
    await pass(60_000);
    expect(trust.trusted()).toBe(false);
    expect(trust.state().boundMs).toBeLessThan(summer2026 + hourMs);
    set(-yearMs, byNobody);
    await pass(2_000);
    expect(trust.trusted()).toBe(true);
    expect(told.slice(1)).toEqual([{ step: yearMs, trusted: false, source: null }, { step: -yearMs, trusted: true, source: 'ntp' }, { trusted: 'ntp' }]);
  });

  it('a year ahead where nobody can be asked, and back again, does none either', async () => {
    const { trust, told, pass, set } = box(summer2026, bySilence);
    await pass(60_000);
    set(yearMs, bySilence);
    await pass(60_000);
    set(-yearMs, bySilence);
    await pass(2_000);
    expect(trust.trusted()).toBe(true);
    expect(told.filter((one) => 'backwards' in one)).toEqual([]);
  });

  it('a year ahead by a service that was wrong: the right time counts after ten minutes', async () => {
    const { trust, told, pass, set } = box(summer2026, byNtp);
    await pass(60_000);
    set(yearMs, { state: 'disciplined', source: 'gnss' });
    await pass(60_000);
    expect(trust.trusted()).toBe(true);
    set(-yearMs, byNtp);
    await pass(60_000);
    expect(trust.trusted()).toBe(false);
    await pass(600_000);
    expect(trust.trusted()).toBe(true);
    expect(told.filter((one) => 'lowered' in one).length).toBe(1);
  });
});

describe('a gate that starts again', () => {
  const boundMs = summer2026;

  it('while the network is down goes on believing the clock that an earlier process of this run of the machine knew', async () => {
    const memory = { boundMs, known: { wallMs: summer2026, monoMs: -hourMs, source: 'ntp' } } as const;
    const undisturbed = box(summer2026 + hourMs + 1_000, byNobody, memory);
    await undisturbed.pass(1_000);
    expect(undisturbed.trust.trusted()).toBe(true);
    const disturbed = box(summer2026 + 2 * hourMs, byNobody, memory);
    await disturbed.pass(60_000);
    expect(disturbed.trust.trusted()).toBe(false);
  });

  it('with a time before the one on record says so once', async () => {
    const { trust, told, pass } = box(boundMs - hourMs, bySilence, { boundMs, known: null });
    await pass(600_000);
    expect(trust.trusted()).toBe(false);
    expect(told).toEqual([{ backwards: hourMs }]);
    await pass(hourMs);
    expect(trust.trusted()).toBe(true);
  });
});

describe('drift', () => {
  it('is what the time service corrects, and beyond 100 ppm a fault with what to do', async () => {
    const { trust, machine, pass } = box(summer2026, { ...byNtp, oscillatorPpm: -20.5 });
    await pass(1_000);
    expect(trust.state()).toMatchObject({ oscillatorPpm: -20.5, alonePpm: null });
    expect(clockHealth(trust.state())).toEqual({ state: 'ok' });
    machine.evidence = { ...byNtp, oscillatorPpm: -200 };
    await pass(61_000);
    expect(clockHealth(trust.state())).toMatchObject({ state: 'degraded', detail: 'the clock loses 17.3 s a day by itself (-200 ppm)' });
  });

  it('shows in the step that ends a time alone', async () => {
    const { trust, pass, set } = box(summer2026, { ...byNtp, syncedMs: summer2026 });
    await pass(60_000);
    await pass(2 * 86_400_000);
    set(-8_640, { ...byNtp, syncedMs: summer2026 + 2 * 86_400_000 });
    await pass(60_000);
    expect(trust.state().alonePpm).toBeCloseTo(50, 0);
  });

  it('a clock left alone for weeks stays trusted and says what it may be off by', async () => {
    const { trust, machine, pass } = box(summer2026, { ...byNtp, syncedMs: summer2026 });
    await pass(1_000);
    machine.evidence = { state: 'set', source: 'ntp', syncedMs: summer2026 };
    await pass(15 * 86_400_000);
    expect(trust.trusted()).toBe(true);
    expect(clockHealth(trust.state())).toMatchObject({ state: 'degraded', detail: 'no time service for 15 days; the clock may be off by 65 s' });
  });
});

describe('what the system says', () => {
  const nothing = { kernel: undefined, chrony: undefined, timesyncd: undefined, flagMs: undefined, rtcMs: undefined, systemd: false };
  // Lines as chronyc 4.3 writes them with -c.
  const overNtp = 'C0248F97,192.36.143.151,2,1782864000.123456789,-0.000011,0.000020,0.000031,-14.321,-0.001,0.044,0.004,0.0008,64.2,Normal';
  const byReceiver = '47505300,GPS,1,1782864000.5,0.000000001,0.000000002,0.000000003,4.500,0.000,0.010,0.000000001,0.00001,16.0,Normal';

  it.each([
    ['a server', overNtp, { source: 'ntp', syncedMs: 1_782_864_000_123, oscillatorPpm: -14.321 }],
    ['a satellite receiver fed by gpsd', byReceiver, { source: 'gnss', syncedMs: 1_782_864_000_500, oscillatorPpm: 4.5 }],
    ['its pulse', byReceiver.replace('47505300,GPS', '50505300,PPS'), { source: 'gnss', syncedMs: 1_782_864_000_500, oscillatorPpm: 4.5 }],
    ['another reference clock', byReceiver.replace('47505300,GPS', '50484330,PHC0'), { source: 'reference', syncedMs: 1_782_864_000_500, oscillatorPpm: 4.5 }],
    ['nothing yet', '00000000,,0,0.000000000,0.0,0.0,0.0,0.000,0.000,0.000,1.0,1.0,0.0,Not synchronised', undefined],
    ['itself alone', overNtp.replace('C0248F97,192.36.143.151,2', '7F7F0101,,10'), undefined],
    ['no sense', '506 Cannot talk to daemon', undefined],
  ])('chrony that follows %s', (_, line, expected) => {
    expect(parseTracking(`${line}\n`)).toEqual(expected);
  });

  it('timesyncd: its server and the frequency in 2^-16 ppm, negated', () => {
    expect(parseTimesync('ServerAddress=17.253.84.125\nFrequency=1310720\n')).toEqual({ server: '17.253.84.125', oscillatorPpm: -20 });
    expect(parseTimesync('ServerAddress=17.253.84.125\nFrequency=0\n')).toEqual({ server: '17.253.84.125', oscillatorPpm: undefined });
    expect(parseTimesync('ServerAddress=\nFrequency=0\n')).toBeUndefined();
    expect(parseTimesync(undefined)).toBeUndefined();
  });

  it.each([
    ['kernel kept, nobody names the source', { kernel: true }, { state: 'disciplined', source: 'service' }],
    ['kernel kept by a receiver', { kernel: true, chrony: parseTracking(byReceiver) }, { state: 'disciplined', source: 'gnss' }],
    ['kernel kept by timesyncd', { kernel: true, timesyncd: { server: '1.2.3.4', oscillatorPpm: 3 } }, { state: 'disciplined', source: 'ntp', oscillatorPpm: 3 }],
    ['chrony has not noticed yet that the clock was set by hand', { kernel: false, chrony: parseTracking(overNtp), systemd: true }, { state: 'unset' }],
    ['chrony where the kernel cannot be asked', { chrony: parseTracking(overNtp) }, { state: 'disciplined', source: 'ntp' }],
    ['set since the boot', { kernel: false, flagMs: summer2026 - 1 }, { state: 'set', source: 'ntp', syncedMs: summer2026 - 1 }],
    ['set by hand to before its last synchronisation', { kernel: false, flagMs: summer2026 + hourMs }, { state: 'unset' }],
    ['a hardware clock agrees', { kernel: false, rtcMs: summer2026 + 1_000 }, { state: 'agrees', source: 'rtc' }],
    ['a hardware clock without battery', { kernel: false, rtcMs: 5_000 }, { state: 'unset' }],
    ['systemd that does not answer', { systemd: true }, { state: 'unset' }],
    ['nobody there', {}, { state: 'silent', source: 'assumed' }],
  ])('%s', (_, answers, expected) => {
    expect(weighEvidence({ ...nothing, ...answers }, summer2026, Date.UTC(2026, 0, 1))).toMatchObject(expected);
  });

  it('comes from timedatectl and chronyc, whoever of them is there', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'laurel-clock-'));
    const program = (name: string, script: string): void => writeFileSync(join(directory, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const path = process.env['PATH'];
    process.env['PATH'] = `${directory}:/bin`;
    try {
      program('timedatectl', 'case "$*" in "show --property=NTPSynchronized --value") echo yes;; "show-timesync "*) printf "ServerAddress=10.0.0.1\\nFrequency=655360\\n";; *) exit 1;; esac');
      program('chronyc', `[ "$*" = "-n -c tracking" ] && echo "${byReceiver}"`);
      expect(await readClockEvidence(Date.now(), 0)).toEqual({ state: 'disciplined', source: 'gnss', syncedMs: 1_782_864_000_500, oscillatorPpm: 4.5 });
      program('chronyc', 'echo "506 Cannot talk to daemon"; exit 1');
      expect(await readClockEvidence(Date.now(), 0)).toMatchObject({ state: 'disciplined', source: 'ntp', oscillatorPpm: -10 });
    } finally {
      process.env['PATH'] = path;
      rmSync(directory, { recursive: true, force: true });
    }
  });

  it('this machine answers', async () => {
    expect(['disciplined', 'set', 'agrees', 'unset', 'silent']).toContain((await readClockEvidence(Date.now(), 0)).state);
  });
});
