import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('scripts/install --prefix', () => {
  let folder: string;
  let prefix: string;
  let dist: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'laurel-install-'));
    prefix = join(folder, 'root');
    dist = join(folder, 'dist');
    mkdirSync(dist);
    writeFileSync(join(dist, 'main.js'), '// first build\n');
    writeFileSync(join(dist, 'cli.js'), 'console.log("gatectl", process.argv.slice(2).join(" "));\n');
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  function install(...more: string[]): { status: number | null; stderr: string } {
    return spawnSync('bash', [join(root, 'scripts/install'), '--prefix', prefix, '--dist', dist, ...more], { encoding: 'utf8' });
  }

  it('puts program, configuration, state, command and unit in their places', () => {
    const run = install();
    expect(run.status, run.stderr).toBe(0);
    for (const path of ['opt/laurel-gate/dist/main.js', 'opt/laurel-gate/models', 'opt/laurel-gate/package.json', 'etc/laurel-gate/gate.yaml', 'usr/local/bin/gatectl']) {
      expect(existsSync(join(prefix, path)), path).toBe(true);
    }
    expect(statSync(join(prefix, 'var/lib/laurel-gate')).mode & 0o777).toBe(0o750);
    expect(statSync(join(prefix, 'etc/laurel-gate/gate.yaml')).mode & 0o777).toBe(0o640);
    const unit = readFileSync(join(prefix, 'etc/systemd/system/laurel-gate.service'), 'utf8');
    const node = /^ExecStart=(\S+)/mu.exec(unit)?.[1];
    expect(node !== undefined && existsSync(node)).toBe(true);
    expect(readFileSync(join(prefix, 'etc/systemd/system/laurel-gate-supervisor.service'), 'utf8')).toContain(`ExecStart=${node ?? ''} `);
    expect(readFileSync(join(prefix, 'usr/local/bin/gatectl'), 'utf8')).toContain(`exec ${node ?? ''} /opt/laurel-gate/dist/cli.js`);
  });

  it('updates the program and keeps the configuration when it is run again', () => {
    expect(install().status).toBe(0);
    const config = join(prefix, 'etc/laurel-gate/gate.yaml');
    writeFileSync(config, '# edited on site\n');
    writeFileSync(join(dist, 'main.js'), '// second build\n');
    const run = install();
    expect(run.status, run.stderr).toBe(0);
    expect(readFileSync(config, 'utf8')).toBe('# edited on site\n');
    expect(readFileSync(join(prefix, 'opt/laurel-gate/dist/main.js'), 'utf8')).toBe('// second build\n');
    expect(existsSync(join(prefix, 'opt/laurel-gate.old'))).toBe(false);
  });

  it('changes nothing where something is missing, and says what', () => {
    const run = install('--config', join(folder, 'nowhere.yaml'));
    expect(run.status).toBe(1);
    expect(run.stderr).toContain('nowhere.yaml cannot be read');
    expect(existsSync(join(prefix, 'opt'))).toBe(false);
    expect(install('--wrong').stderr).toContain('unknown option --wrong');
  });
});
