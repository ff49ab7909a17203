import { systemClock } from '../base/system-clock.js';
import { LedgerFile, readListFile, writeListFile } from '../platform/index.js';
import { PlatformLists, ReferencePlatform, listReportSchema, type GateName, type ListReport } from '../uplink/index.js';
import { exitStatus } from './context.js';
import { print } from './output.js';
import { heard, lineOptions, type LineOptions } from './platform-line.js';

export interface ListOptions extends LineOptions {
  readonly ledger: string;
  readonly full: boolean;
  /** File for the list with what guards have changed; they stay theirs where omitted. */
  readonly takeEdits?: string | undefined;
  /** Seconds. */
  readonly timeout: number;
  readonly json: boolean;
}

const REPORT_MS = 10_000;

/**
 * `gatectl platform list`: a gate's list from a file, as a change where the version it holds is known here; with what guards
 * have changed, where that is asked for.
 */
export async function sendListFile(name: GateName, path: string, options: ListOptions): Promise<number> {
  const entries = await readListFile(path);
  // Before a gate lets go of anything: the file can be written.
  if (options.takeEdits !== undefined) await writeListFile(options.takeEdits, entries);
  const platform = new ReferencePlatform({ ...(await lineOptions(options)), takes: [] });
  const lists = new PlatformLists(platform, { mergeEdits: false });
  const of = (from: GateName): boolean => from.site === name.site && from.gate === name.gate;
  const file = LedgerFile.open(options.ledger, () => systemClock.wallMs());
  try {
    await platform.start();
    const before = await heard<ListReport>(name, 'list/report', REPORT_MS, (done) =>
      platform.hear('list/report', (from, message) => {
        if (of(from)) done(listReportSchema.parse(message));
      }),
    );
    const held = before.held;
    const known = held === null || options.full ? undefined : file.list(name, held);
    if (held !== null && known !== undefined) lists.know(name.site, name.gate, { version: held.version, entries: known });
    lists.start();
    let said = before;
    const reportOn = async ({ digest }: { readonly digest: string }): Promise<ListReport> => {
      said = await heard<ListReport>(name, 'report of the list', options.timeout * 1_000, (done) =>
        platform.hear('list/report', (from, message) => {
          if (!of(from)) return;
          const report = listReportSchema.parse(message);
          // The broker hands the retained one out again.
          if (JSON.stringify(report) === JSON.stringify(said) || (report.refused === undefined && report.held?.digest !== digest)) return;
          // Refused because the gate wants it whole: that is on its way.
          if (report.wants === 'full' && report.refused?.code === 'LIST_BASE_UNKNOWN') return;
          done(report);
        }),
      );
      return said;
    };
    let report = await reportOn(lists.sendList(name.site, name.gate, { entries, version: (held?.version ?? 0) + 1 }));
    // A report names the first hundred.
    while (options.takeEdits !== undefined && report.refused === undefined && report.edits.count > 0) {
      const merged = lists.merge(name.site, name.gate, { overrule: false });
      if (merged === undefined) break;
      // The gate may let go of them before its report is here.
      [report] = await Promise.all([reportOn(merged), writeListFile(options.takeEdits, lists.entries(name.site, name.gate))]);
    }
    const ok = report.refused === undefined;
    if (ok && report.held !== null) file.keepList(name, report.held, lists.entries(name.site, name.gate));
    if (options.json) print(JSON.stringify(report));
    else print(wordsOf(name, report, known !== undefined).join('\n'));
    return ok ? exitStatus.ok : exitStatus.failed;
  } finally {
    lists.stop();
    await platform.stop();
    file.close();
  }
}

function wordsOf({ site, gate }: GateName, { held, refused, edits }: ListReport, delta: boolean): readonly string[] {
  if (refused !== undefined) return [`${site}/${gate} has not taken the list: ${refused.reason} [${refused.code}]`];
  if (held === null) return [`${site}/${gate} holds no list.`];
  const { version, counts, ignored } = held;
  return [
    `${site}/${gate} holds version ${version} (${delta ? 'sent as a change' : 'sent whole'}): ${counts.entries} entries with ${counts.plates} plates: ${counts.households} households, ${counts.visitors} visitors, ${counts.blocked} blocked.`,
    ...(ignored.count === 0 ? [] : [`${ignored.count} entries cannot be used:`, ...ignored.first.map(({ key, why }) => `  ${key}: ${why}`)]),
    ...(edits.count === 0 ? [] : [`${edits.count} changes made at the gate stand over it until a list names them in merged (--take-edits does).`]),
  ];
}
