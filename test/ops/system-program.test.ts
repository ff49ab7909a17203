import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runSystemProgram } from '../../src/ops/index.js';
import { until } from '../support/until.js';

const run = (program: string, values: readonly string[] = [], more: { environment?: Record<string, string>; limitS?: number } = {}): Promise<string> =>
  runSystemProgram({ program, values, environment: more.environment ?? {}, limitS: more.limitS ?? 5 });

/** The shell that programs are run by: the parent of one of them. */
async function shell(): Promise<number> {
  return Number(await run('sh', ['-c', 'cut -d" " -f4 /proc/$PPID/stat']));
}

describe('a program of the system', () => {
  it('gets its values and variables as they are, whatever stands in them', async () => {
    const awkward = ['two words', "it's", '$HOME `id` "x" \\', 'line\nline', '', '*', '车牌'];
    expect(await run('printf', ['%s|', ...awkward])).toBe(`${awkward.join('|')}|`);
    expect(await run('sh', ['-c', 'printf %s "$GATE"'], { environment: { GATE: "a 'b' $c" } })).toBe("a 'b' $c");
  });

  it('says what it says, also without a line end, and those that are asked at once each get their own', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, (_, at) => run('sh', ['-c', `printf 'answer %s' ${at}; echo no >&2`])));
    expect(answers).toEqual(Array.from({ length: 8 }, (_, at) => `answer ${at}`));
  });

  it('that fails, is not there or takes too long is an error, and the next one runs', async () => {
    await expect(run('false')).rejects.toThrow(/^SYSTEM_PROGRAM_FAILED: .* status 1$/u);
    await expect(run('no-such-program')).rejects.toThrow(/^SYSTEM_PROGRAM_FAILED: .* status 127$/u);
    await expect(run('sleep', ['30'], { limitS: 1 })).rejects.toThrow(/^SYSTEM_PROGRAM_FAILED: .* status 124$/u);
    expect(await run('echo', ['on'])).toBe('on\n');
  });

  it('whose shell was killed is an error, and the next one has a new shell', async () => {
    const first = await shell();
    expect(readFileSync(`/proc/${first}/comm`, 'utf8').trim()).toBe('sh');
    const sleeping = run('sleep', ['30']).catch(String);
    await until(() => execFileSync('ps', ['--ppid', String(first), '-o', 'pid=']).toString().trim() !== '', { what: 'the program to run' });
    process.kill(first, 'SIGKILL');
    expect(await sleeping).toMatch(/SYSTEM_PROGRAM_FAILED: .*SIGKILL/u);
    expect(await run('echo', ['on'])).toBe('on\n');
    expect(await shell()).not.toBe(first);
  });
});
