import * as z from 'zod/mini';
import type { JsonObject } from '../../base/index.js';
import type { ControlClient } from '../control-client.js';
import { exitStatus } from '../context.js';
import type { Dialogue } from '../dialogue.js';
import { duration, print, table } from '../output.js';
import type { CliWords } from '../words/index.js';
import type { Finding } from './judge.js';
import type { LaneLines } from './lane-lines.js';

/** What every guided test works with. */
export interface TestSession {
  readonly client: ControlClient;
  readonly lines: LaneLines;
  readonly dialogue: Dialogue;
  readonly words: CliWords;
  readonly lane: string;
  /** Longest a step waits for the person, ms. */
  readonly limitMs: number;
  /** Movements need no further consent; for scripts with somebody at the boom. */
  readonly yes: boolean;
}

export interface TestResult {
  /** `loop.approach`, `relay.open`, …. */
  readonly test: string;
  readonly findings: readonly Finding[];
  /** Given up by the person, or too late: the test says nothing about the wiring. */
  readonly cutShort?: 'gave-up' | 'late';
  readonly measures: Readonly<Record<string, number | null>>;
}

const recordedSchema = z.object({ issuer: z.string() });

function measureText(name: string, value: number | null): string {
  if (value === null) return '-';
  return name.endsWith('Ms') ? (value < 10_000 ? `${Math.round(value)} ms` : duration(value / 1_000)) : String(value);
}

/** Puts a result on record and prints it. @returns the exit status */
export async function report(session: TestSession, result: TestResult, json: boolean): Promise<number> {
  const { client, words, lane } = session;
  const passed = result.findings.length === 0 && result.cutShort === undefined;
  const payload: JsonObject = { ...result.measures, findings: [...result.findings], ...(result.cutShort === undefined ? {} : { cutShort: result.cutShort }) };
  const { issuer } = await client.post(recordedSchema, `/api/lanes/${encodeURIComponent(lane)}/test`, { test: result.test, passed, result: payload });
  if (json) {
    print(JSON.stringify({ lane, test: result.test, passed, findings: result.findings, ...(result.cutShort === undefined ? {} : { cutShort: result.cutShort }), measures: result.measures, issuer }));
  } else {
    const rows = Object.entries(result.measures).map(([name, value]) => [`  ${words.test.measures[name] ?? name}`, measureText(name, value)]);
    print([`${lane} ${result.test}: ${passed ? words.test.passed : words.test.failed}`, ...(rows.length === 0 ? [] : [table(rows)])].join('\n'));
    if (result.cutShort !== undefined) print(`  ! ${result.cutShort === 'late' ? words.test.late : words.test.gaveUp}`);
    for (const finding of result.findings) print(`  ! ${words.test.findings[finding] ?? finding}`);
    print(`  (${words.test.onRecord}: ${issuer})`);
  }
  return passed ? exitStatus.ok : exitStatus.failed;
}
