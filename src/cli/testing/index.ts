import { readConfigText } from '../../config/index.js';
import { configPath, controlClient, exitStatus, type GlobalOptions } from '../context.js';
import { GateDevices } from '../device-source.js';
import { TerminalDialogue } from '../dialogue.js';
import { complain, print } from '../output.js';
import { cliWords } from '../words/index.js';
import { testBoom } from './boom.js';
import { holdToRun } from './hold.js';
import { testInput, type ContactInput } from './input.js';
import { LaneLines } from './lane-lines.js';
import { testLoop } from './loop.js';
import { testRelay, type RelayName } from './relay.js';
import { report, type TestResult, type TestSession } from './session.js';

export { relayNames, type RelayName } from './relay.js';
export { contactNames, type ContactInput } from './input.js';

export interface TestOptions {
  readonly json: boolean;
  readonly yes: boolean;
  readonly timeoutS: number;
}

export type Wanted =
  | { readonly kind: 'loop'; readonly name: 'approach' | 'closing'; readonly holdS: number }
  | { readonly kind: 'input'; readonly name: ContactInput }
  | { readonly kind: 'relay'; readonly name: RelayName; readonly ms: number | undefined }
  | { readonly kind: 'boom'; readonly write: boolean };

/** `gatectl test …`: guides, watches, judges, puts the result on record. @returns the exit status */
export async function runTest(globals: GlobalOptions, lane: string, wanted: Wanted, { json, yes, timeoutS }: TestOptions): Promise<number> {
  const words = cliWords();
  const client = await controlClient(globals);
  // Read first: a file that cannot be written later is better told before the boom has moved six times.
  const path = configPath(globals);
  const config = wanted.kind === 'boom' && wanted.write ? { path, text: await readConfigText(path) } : undefined;
  const lines = await LaneLines.open(new GateDevices(client));
  // stdout belongs to the result; with --json nothing else may stand there.
  const dialogue = new TerminalDialogue(process.stdin, json ? process.stderr : process.stdout, words);
  const session: TestSession = { client, lines, dialogue, words, lane, limitMs: timeoutS * 1_000, yes };
  try {
    return await report(session, await run(session, wanted, config), json);
  } finally {
    dialogue.close();
    await lines.close();
  }
}

function run(session: TestSession, wanted: Wanted, config: { readonly path: string; readonly text: string } | undefined): Promise<TestResult> {
  switch (wanted.kind) {
    case 'loop':
      return testLoop(session, wanted.name, wanted.holdS * 1_000);
    case 'input':
      return testInput(session, wanted.name);
    case 'relay':
      return testRelay(session, wanted.name, wanted.ms);
    case 'boom':
      return testBoom(session, config);
  }
}

/** `gatectl test relay LANE open|close --hold`: the operator holds the boom from his keyboard. @returns the exit status */
export async function holdBoom(globals: GlobalOptions, lane: string, direction: 'open' | 'close', json: boolean): Promise<number> {
  const words = cliWords();
  const client = await controlClient(globals);
  const outcome = await holdToRun(client, lane, direction, process.stdin, json ? complain : print, words);
  if (json) print(JSON.stringify({ lane, direction, ...outcome }));
  return outcome.ended === 'done' ? exitStatus.ok : exitStatus.failed;
}
