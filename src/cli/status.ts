import * as z from 'zod/mini';
import { attentionWords, findingWords, statusSchema, word, type LaneData, type StatusData, type Words } from '../web/view.js';
import type { ControlClient } from './control-client.js';
import { duration, print, table, terminalWords } from './output.js';

function laneRow(lane: LaneData, words: Words): readonly string[] {
  const { passage } = lane;
  const boom = lane.fire ? words.boom.fire : lane.held && lane.boom === 'open' ? words.boom.held : words.boom[lane.boom];
  const who =
    passage === null
      ? words.laneEmpty
      : [passage.plate?.text ?? words.noPlate, passage.decision === null ? word(words.phase, passage.phase) : `${words.outcome[passage.decision.outcome]} (${word(words.rules, passage.decision.rule)})`].join('  ');
  return [`  ${lane.lane}`, lane.name, words.direction[lane.direction], boom, who];
}

function clockText({ source, vouched, oscillatorPpm, alonePpm, health }: NonNullable<StatusData['clock']>): string {
  const ppm = alonePpm ?? oscillatorPpm;
  const facts = [
    source === null ? 'not trusted' : `trusted (${source}${vouched ? '' : ', nothing keeps it now'})`,
    ppm === null ? undefined : `${ppm > 0 ? 'gains' : 'loses'} ${((Math.abs(ppm) * 86_400) / 1e6).toFixed(1)} s a day by itself (${ppm.toFixed(1)} ppm)`,
    health.state === 'ok' ? undefined : [health.detail, health.advice].filter((part) => part !== undefined).join('. '),
  ];
  return facts.filter((fact) => fact !== undefined).join('; ');
}

/** The gate at a glance, for a terminal. */
export function statusText(status: StatusData, words: Words): string {
  const { journal, uplink, vision } = status;
  const lines: string[] = [];
  const version = Object.values(status.versions ?? {})[0];
  const facts = [
    status.simulation === true ? words.simulation : undefined,
    version,
    status.uptimeS === undefined ? undefined : `up ${duration(status.uptimeS)}`,
    status.epoch === undefined ? undefined : `epoch ${status.epoch}`,
    status.clockTrusted === false ? words.topBar.clockUntrusted : undefined,
  ].filter((fact) => fact !== undefined);
  lines.push(`${[status.gate?.name, status.site?.name].filter((name) => name !== undefined).join(', ')} (${facts.join(', ')})`, '');
  lines.push('Lanes', table(status.lanes.map((lane) => laneRow(lane, words))));
  for (const lane of status.lanes) {
    for (const code of lane.attention) lines.push(`  ! ${lane.name}: ${attentionWords(code, words)}`);
    for (const finding of lane.findings) {
      const { what, todo } = findingWords(finding, words);
      lines.push(`  ? ${lane.name}: ${what}`, `    ${words.whatToDo}: ${todo}`);
    }
  }
  lines.push('');
  const rows: string[][] = [];
  if (journal !== undefined) {
    const backlog = Math.max(0, journal.head - journal.acknowledged);
    rows.push(['Journal', `${journal.head} events, ${backlog === 0 ? 'all acknowledged by the platform' : `${backlog} not acknowledged yet`}`]);
  }
  if (uplink !== undefined) rows.push(['Uplink', [uplink.state, uplink.detail].filter((part) => part !== undefined && part !== '').join(': ')]);
  if (status.clock !== undefined) rows.push(['Clock', clockText(status.clock)]);
  if (vision !== undefined) {
    const restarts = vision.restarts ?? 0;
    rows.push(['Vision', [vision.state, restarts === 0 ? undefined : `${restarts} restarts`, vision.detail].filter((part) => part !== undefined && part !== '').join(', ')]);
    for (const camera of vision.cameras ?? []) {
      rows.push([`  ${camera.camera ?? camera.lane}`, `${camera.state}${camera.framesPerSecond === undefined ? '' : `, ${camera.framesPerSecond.toFixed(1)} pictures/s`}`]);
    }
  }
  if (status.guard !== undefined && status.guard.supervisor !== 'off') rows.push(['Supervisor', [status.guard.supervisor, status.guard.detail].filter((part) => part !== undefined).join(': ')]);
  for (const device of status.devices ?? []) rows.push([`Device ${device.id}`, [device.state, device.detail].filter((part) => part !== undefined && part !== '').join(': ')]);
  lines.push(table(rows));
  return lines.join('\n');
}

/** `gatectl status`: everything the gate says of itself. */
export async function showStatus(client: ControlClient, json: boolean): Promise<void> {
  const whole = await client.get(z.record(z.string(), z.unknown()), '/api/status');
  print(json ? JSON.stringify(whole) : statusText(z.parse(statusSchema, whole), terminalWords()));
}
