import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silentLog, type JsonObject } from '../../src/base/index.js';
import { systemClock } from '../../src/base/system-clock.js';
import { WebServer } from '../../src/web/index.js';
import { FakeGate } from './fake-gate.js';

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path));
if (executablePath === undefined) console.log('page.test.ts: skipped, no Chromium on this machine (apt install chromium)');

/** Pictures of the page for a person to look at. */
const screenshots = join(tmpdir(), 'laurel-page-screenshots');

const resident = { text: '京QM86H8', confidence: 0.998, characters: [], colour: 'blue', rows: 1 };
/** A read as lanes put it on record. */
function facts({ text, ...read }: typeof resident): JsonObject {
  return { plate: text, confidence: read.confidence, colour: read.colour, rows: read.rows };
}
const taxi = { text: '粤BD12345', confidence: 0.991, characters: [], colour: 'green', rows: 1 };

/** A camera picture as a car park would give it, drawn; the plate sits at 42–58 % by 66–73 %. */
async function drawPicture(): Promise<Uint8Array> {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="1280" height="720">
    <defs><linearGradient id="g" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="#6a7a85"/><stop offset=".5" stop-color="#4a545b"/><stop offset="1" stop-color="#31383b"/></linearGradient></defs>
    <rect width="1280" height="720" fill="url(#g)"/><polygon points="0,720 470,300 810,300 1280,720" fill="#3c4346"/>
    <rect x="360" y="270" width="560" height="330" rx="50" fill="#8fa3b0"/><polygon points="430,290 850,290 800,190 480,190" fill="#1f2a31"/>
    <rect x="538" y="475" width="205" height="51" rx="5" fill="#1550b4"/><rect x="390" y="420" width="100" height="40" rx="14" fill="#fff6d8"/><rect x="790" y="420" width="100" height="40" rx="14" fill="#fff6d8"/></svg>`;
  return sharp(Buffer.from(svg)).jpeg({ quality: 80 }).toBuffer();
}

describe.skipIf(executablePath === undefined)('the page in a browser', () => {
  let pageDirectory: string;
  let browser: Browser;
  let picture: Uint8Array;

  beforeAll(async () => {
    pageDirectory = await mkdtemp(join(tmpdir(), 'laurel-page-'));
    await mkdir(screenshots, { recursive: true });
    await promisify(execFile)(process.execPath, ['scripts/build.mjs', '--page-only', '--out', pageDirectory]);
    picture = await drawPicture();
    browser = await chromium.launch({ executablePath: executablePath ?? '', headless: true, args: ['--no-sandbox'] });
  });

  afterAll(async () => {
    await browser.close();
    await rm(pageDirectory, { recursive: true, force: true });
  });

  let directory: string;
  let gate: FakeGate;
  let server: WebServer;
  let url: string;
  let codes: string[];
  let context: BrowserContext;
  let page: Page;
  let complaints: string[];

  async function start(options: { openView?: boolean } = {}, look: { width: number; height: number; locale: string; dark?: boolean } = { width: 1440, height: 900, locale: 'en-GB' }): Promise<void> {
    server = new WebServer({
      host: '127.0.0.1',
      port: 0,
      gate,
      clock: systemClock,
      log: silentLog,
      dataDirectory: directory,
      printCode: (code) => codes.push(code),
      pageDirectory,
      ...options,
    });
    ({ url } = await server.start());
    context = await browser.newContext({
      viewport: { width: look.width, height: look.height },
      locale: look.locale,
      timezoneId: 'Asia/Shanghai',
      colorScheme: look.dark === true ? 'dark' : 'light',
      ...(look.width < 600 ? { deviceScaleFactor: 2, hasTouch: true, isMobile: true } : {}),
    });
    page = await context.newPage();
    page.on('console', (message) => {
      // A refused request is part of the story; a script error or a blocked resource never is.
      if (message.type() === 'error' && !/Failed to load resource|WebSocket connection to/u.test(message.text())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
  }

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'laurel-page-data-'));
    gate = new FakeGate();
    gate.picture = picture;
    codes = [];
    complaints = [];
  });

  afterEach(async () => {
    await context.close();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
    expect(complaints).toEqual([]);
  });

  async function signInByCode(labels: { code: string; password: RegExp; submit: string }): Promise<void> {
    await page.goto(url);
    await page.getByLabel(labels.code).fill(codes[0] ?? '');
    await page.getByLabel(labels.password).fill('seven sleepers');
    await page.getByRole('button', { name: labels.submit }).click();
    await page.locator('.lane').first().waitFor();
  }
  const english = { code: 'One-time code', password: /New password/u, submit: 'Set password and sign in' };
  const chinese = { code: '一次性登录码', password: /新密码/u, submit: '设置密码并登录' };

  /** A resident stands before the entry and a refused stranger before the exit, with a history behind them. */
  function busyEvening(): void {
    gate.record('gate.started', null, null, { version: '0.1.0' });
    gate.record('passage.started', 'entry', 'p-1', {});
    gate.record('passage.decided', 'entry', 'p-1', { outcome: 'refuse', rule: 'outside-refuse', visitorClass: 'outside', note: null, listedPlate: null, matched: null, ...facts(taxi) });
    gate.record('passage.ended', 'entry', 'p-1', { end: 'backed-out', detail: null, ...facts(taxi), clearedBy: null, durationMs: 9000 });
    gate.record('camera.lost', 'exit', null, { camera: 'exit-cam', detail: 'no frame for 5 s' });
    gate.record('camera.recovered', 'exit', null, { camera: 'exit-cam' });
    gate.record('command.done', 'exit', null, { target: 'open', issuer: 'web:guard', reason: 'delivery' });
    gate.record('boom.opening', 'exit', null, { cause: { kind: 'command', detail: 'web:guard' } });
    gate.record('boom.closing', 'exit', null, { cause: { kind: 'passage-complete', detail: '' } });
    gate.record('passage.started', 'entry', 'p-2', {});
    gate.record('passage.read', 'entry', 'p-2', facts(resident));
    gate.record('passage.decided', 'entry', 'p-2', { outcome: 'admit', rule: 'resident', visitorClass: 'resident', note: '3-201 Wang', listedPlate: null, matched: 'exact', ...facts(resident) });
    gate.record('boom.opening', 'entry', 'p-2', { cause: { kind: 'decision', detail: 'resident' } });
    gate.acknowledged = 10;
    gate.show('entry', {
      boom: 'opening',
      boomPosition: 0.55,
      sensors: { approach: 'on', closing: 'off', beam: 'off', openLimit: 'off', closedLimit: 'off' },
      passage: { id: 'p-2', phase: 'admitted', plate: resident, decision: { outcome: 'admit', rule: 'resident', visitorClass: 'resident', note: '3-201 王' } },
    });
    gate.show('exit', {
      sensors: { approach: 'on', closing: 'fault', beam: 'off' },
      attention: ['ask', 'input-fault:closing'],
      passage: {
        id: 'p-3',
        phase: 'asking',
        plate: { text: '沪A1234挂', confidence: 0.93, characters: [], colour: 'yellow', rows: 2 },
        decision: { outcome: 'ask', rule: 'outside-ask', visitorClass: 'outside' },
      },
    });
    gate.say({ kind: 'track', lane: 'entry', track: 't1', vote: resident, reads: 6, decisive: true, stationary: false, motion: 'approaching', corners: [[0.42, 0.66], [0.58, 0.66], [0.58, 0.73], [0.42, 0.73]], seenAtMs: 0, ended: false });
  }

  it('a guard signs in with the code of the console, opens the barrier, and sees the result and the event', async () => {
    await start();
    await signInByCode(english);
    const entry = page.locator('.lane[data-lane=entry]');
    await entry.getByText('Closed', { exact: true }).waitFor();
    await entry.getByLabel('Reason').fill('Delivery for 3-201');
    await entry.getByRole('button', { name: 'Open', exact: true }).click();
    await entry.getByText(/^Opened · \d\d:\d\d:\d\d · on record$/u).waitFor();
    await entry.locator('.boom-word', { hasText: 'Open' }).waitFor();
    await page.locator('.events').getByText('Order carried out').waitFor();
    await page.locator('.events').getByText('open · web:guard · Delivery for 3-201').waitFor();
    expect(gate.orders).toEqual([expect.objectContaining({ lane: 'entry', target: 'open', reason: 'Delivery for 3-201', issuer: 'web:guard' })]);
  });

  it('a refused order is explained in words, in the language of the guard', async () => {
    await start({}, { width: 1440, height: 900, locale: 'zh-CN' });
    await signInByCode(chinese);
    gate.command = () => Promise.reject(new Error('disk on fire'));
    gate.show('entry', { boom: 'open', boomPosition: 1, sensors: { approach: 'off', closing: 'on' } });
    const entry = page.locator('.lane[data-lane=entry]');
    await entry.getByRole('button', { name: '落闸' }).click();
    await entry.getByText('道闸无法应答，原因见日志。').waitFor();
    gate.command = () => Promise.resolve({ outcome: 'refused', reason: 'obstructed' });
    await entry.getByRole('button', { name: '落闸' }).click();
    await entry.getByText('杆下有车，或地感读不到；道闸保持打开。').waitFor();
  });

  it('the drawing lives: the loop lights up, the boom rises, the vehicle stands in the lane, and all clears again', async () => {
    await start();
    await signInByCode(english);
    const entry = page.locator('.lane[data-lane=entry]');
    const tipY = async (): Promise<number> => Number(await entry.locator('.arm .white').getAttribute('y2'));
    await entry.locator('.loop.off').first().waitFor();
    const lying = await tipY();
    expect(await entry.locator('.vehicle').count()).toBe(0);
    busyEvening();
    await entry.locator('.loop.on').waitFor();
    await entry.locator('.vehicle').waitFor();
    await entry.locator('.plate', { hasText: '京Q' }).waitFor();
    await entry.getByText('Resident · 3-201 王').waitFor();
    await expect.poll(tipY, { timeout: 5_000 }).toBeLessThan(lying - 60);
    gate.show('entry', { boom: 'closed', boomPosition: 0, sensors: { approach: 'off', closing: 'off' }, passage: null });
    await entry.getByText('No vehicle').waitFor();
    await expect.poll(tipY, { timeout: 5_000 }).toBeCloseTo(lying, 0);
    expect(await entry.locator('.vehicle').count()).toBe(0);
  });

  it('shows the picture with the plate framed, and says so when there is none', async () => {
    await start();
    await signInByCode(english);
    const entry = page.locator('.lane[data-lane=entry]');
    await entry.locator('.picture img').waitFor();
    busyEvening();
    await entry.locator('.overlay .frame.read').waitFor();
    await entry.locator('.frame-text', { hasText: '京QM86H8' }).waitFor();
    gate.picture = undefined;
    await entry.getByText('No picture').waitFor();
    gate.picture = picture;
    await entry.getByText('No picture').waitFor({ state: 'detached' });
  });

  it('events come as they happen, by lane, and older ones on request', async () => {
    await start();
    for (let index = 0; index < 200; index += 1) gate.record('passage.started', index % 2 === 0 ? 'entry' : 'exit', `p-${index}`, {});
    await signInByCode(english);
    const rows = page.locator('.events li');
    expect(await rows.count()).toBe(80);
    await page.locator('.events').getByRole('button', { name: '东门出口' }).click();
    expect(await rows.count()).toBe(40);
    await page.getByRole('button', { name: 'Show older' }).click();
    await expect.poll(() => rows.count()).toBe(100);
    gate.record('passage.ended', 'exit', 'p-9', { end: 'forced' });
    await page.locator('.events li.bad', { hasText: 'Passed without permission' }).waitFor();
  });

  it('comes back by itself after the gate restarted, and asks to sign in again', async () => {
    await start();
    await signInByCode(english);
    const port = Number(new URL(url).port);
    await server.stop();
    await page.getByText('No connection to the gate').waitFor();
    server = new WebServer({ host: '127.0.0.1', port, gate, clock: systemClock, log: silentLog, dataDirectory: directory, printCode: (code) => codes.push(code), pageDirectory });
    await server.start();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
    await page.getByLabel('Name').fill('guard');
    await page.getByLabel('Password').fill('wrong wrong');
    await page.getByRole('button', { name: 'Sign in', exact: true }).last().click();
    await page.getByText('Name or password is wrong').waitFor();
    await page.getByLabel('Password').fill('seven sleepers');
    await page.getByRole('button', { name: 'Sign in', exact: true }).last().click();
    await page.locator('.lane').first().waitFor();
  });

  it('an open view shows everything, says so, and offers to sign in where one would order', async () => {
    await start({ openView: true });
    await page.goto(url);
    await page.getByText('Simulation: everybody may watch').waitFor();
    expect(await page.getByRole('button', { name: 'Open', exact: true }).count()).toBe(0);
    await page.getByRole('button', { name: 'Sign in to order the barrier' }).first().click();
    await page.getByRole('heading', { name: 'First sign-in' }).waitFor();
    await page.getByRole('button', { name: 'Only watch' }).click();
    await page.locator('.lane').first().waitFor();
  });

  it.each([
    { name: 'desktop-zh', width: 1440, height: 900, locale: 'zh-CN', labels: chinese },
    { name: 'desktop-en-dark', width: 1440, height: 900, locale: 'en-GB', dark: true, labels: english },
    { name: 'phone-zh-dark', width: 390, height: 844, locale: 'zh-CN', dark: true, labels: chinese },
    { name: 'phone-en', width: 390, height: 844, locale: 'en-GB', labels: english },
  ])('fits $name without sideways scrolling and with every glyph', async ({ name, labels, ...look }) => {
    await start({}, look);
    await page.goto(url);
    await page.getByLabel(labels.code).waitFor();
    await page.screenshot({ path: join(screenshots, `${name}-sign-in.png`) });
    await signInByCode(labels);
    await page.locator('.lane[data-lane=entry] .picture img').waitFor();
    busyEvening();
    await page.locator('.frame-text').waitFor();
    await page.evaluate(() => document.fonts.ready);
    await expect.poll(() => page.locator('.events li').count()).toBe(13);
    await page.waitForFunction(() => document.getAnimations().length === 0);
    gate.say({ kind: 'track', lane: 'entry', track: 't1', vote: resident, corners: [[0.42, 0.66], [0.58, 0.66], [0.58, 0.73], [0.42, 0.73]], ended: false });
    await page.locator('.frame-text').waitFor();
    const { wide, seen } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, seen: window.innerWidth }));
    expect(wide).toBeLessThanOrEqual(seen);
    const chineseFont = await page.evaluate(() => Array.from(document.fonts).some((face) => face.family.includes('Noto Sans SC') && face.status === 'loaded'));
    expect(chineseFont).toBe(true);
    await page.screenshot({ path: join(screenshots, `${name}.png`), fullPage: true });
  });
});
