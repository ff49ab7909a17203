import type { FleetOptions } from './options.js';

export interface Quantiles {
  readonly p50: number | null;
  readonly p99: number | null;
  readonly most: number | null;
}

/** One measurement under a steady load. Events, messages and acknowledgements are per second over the whole fleet. */
export interface LoadFigures {
  readonly seconds: number;
  readonly rate: number;
  readonly asked: number;
  readonly handed: number;
  readonly arrived: number;
  readonly messages: number;
  readonly eventsPerMessage: number | null;
  /** Payload of the event messages by the events in them. */
  readonly bytesPerEvent: number | null;
  readonly acknowledgements: number;
  /** Acknowledgements the gates wrote: those that come within 100 ms are written as one. */
  readonly acknowledgementsWritten: number;
  /** From the moment a live event is handed to its journal to its arrival at the platform. */
  readonly delayMs: Quantiles;
  /** From handing over to on disk. */
  readonly onDiskMs: Quantiles;
  /** CPU in percent of one processor. */
  readonly broker: { readonly cpuPercent: number; readonly rssMB: number };
  readonly platform: { readonly cpuPercent: number; readonly busiestPercent: number; readonly rssMB: number };
  readonly perGate: { readonly cpuPercent: number; readonly rssMB: number };
  readonly gatesCpuPercent: number;
  /** Of all processors together: busy, whoever used them, and busy with something that is no part of this run. */
  readonly machineBusyPercent: number;
  readonly othersPercent: number;
  /** The gates wrote what was asked, and the platform had it within two seconds. */
  readonly followed: boolean;
  /** Where it did not follow: what gave out, as far as the figures tell. */
  readonly limitedBy: string | null;
}

export interface FleetReport {
  readonly name: 'fleet';
  readonly options: Omit<FleetOptions, 'json' | 'arithmetic' | 'directory'>;
  readonly machine: { readonly processors: number; readonly node: string; readonly memoryGB: number; /** One durable write of 4 KB where the journals are. */ readonly syncMs: number };
  readonly journals: { readonly seconds: number };
  readonly connect: { readonly connected: number; readonly seconds: number | null; readonly ms: Quantiles; readonly brokerCpuMsPerGate: number };
  readonly backlog: { readonly events: number; readonly seconds: number | null; readonly eventsPerSecond: number | null } | null;
  readonly steady: LoadFigures;
  readonly limit: { readonly steps: readonly LoadFigures[]; /** Most events a second that it followed. */ readonly followed: number; readonly by: string } | null;
  readonly outage: { readonly seconds: number; readonly back: number; readonly backSeconds: number | null; readonly backMs: Quantiles; readonly waited: number; readonly drainedSeconds: number | null } | null;
  readonly books: {
    readonly gates: number;
    readonly events: number;
    readonly lost: number;
    readonly doubled: number;
    readonly reordered: number;
    readonly chainBroken: number;
    readonly malformed: number;
    /** Came again unchanged, as at-least-once delivery may; the platform knows them by their id. */
    readonly repeated: number;
  };
}

/** With a shared subscription arrival in order is the broker's affair; the books are put in order by `seq`. */
export function isSound({ options, connect, outage, books }: FleetReport): boolean {
  const wrong = books.lost + books.doubled + books.chainBroken + books.malformed + (options.share > 1 ? 0 : books.reordered);
  return wrong === 0 && connect.connected === options.gates && (outage === null || outage.back === options.gates);
}

const say = (value: number | null, unit: string): string => (value === null ? 'not within the time' : `${Math.round(value * 100) / 100} ${unit}`);
const quantiles = ({ p50, p99, most }: Quantiles): string => (p50 === null ? 'none' : `p50 ${p50}, p99 ${p99 ?? p50}, most ${most ?? p50} ms`);

function loadLines(load: LoadFigures): readonly string[] {
  return [
    `  ${load.rate} events a minute and gate: ${load.asked} asked, ${load.handed} written, ${load.arrived} arrived a second; ${load.messages} messages of ${load.eventsPerMessage ?? 0} events, ${load.bytesPerEvent ?? 0} bytes an event; ${load.acknowledgements} acknowledgements a second`,
    `    to the platform: ${quantiles(load.delayMs)}; on disk: ${quantiles(load.onDiskMs)}`,
    `    broker ${load.broker.cpuPercent} % of a processor, ${load.broker.rssMB} MB; platform ${load.platform.cpuPercent} %, ${load.platform.rssMB} MB; a gate ${load.perGate.cpuPercent} %, ${load.perGate.rssMB} MB; machine ${load.machineBusyPercent} % busy, ${load.othersPercent} % with others' work`,
    ...(load.followed ? [] : [`    did not follow: ${load.limitedBy ?? 'unknown'}`]),
  ];
}

/** For people. */
export function reportText(report: FleetReport): string {
  const { options, machine, journals, connect, backlog, steady, limit, outage, books } = report;
  return [
    `${options.gates} gates on ${machine.processors} processors, Node ${machine.node}; a durable write of 4 KB takes ${machine.syncMs} ms where the journals are; opened in ${journals.seconds} s`,
    `connect: ${connect.connected} of ${options.gates} in ${say(connect.seconds, 's')} (${quantiles(connect.ms)}); broker ${connect.brokerCpuMsPerGate} ms of processor each${options.tls ? ', TLS' : ''}`,
    ...(backlog === null ? [] : [`backlog: ${backlog.events} events in ${say(backlog.seconds, 's')}, ${say(backlog.eventsPerSecond, 'a second')}`]),
    'load:',
    ...loadLines(steady),
    ...(limit === null ? [] : ['limit:', ...limit.steps.flatMap(loadLines), `  followed up to ${limit.followed} events a second; then: ${limit.by}`]),
    ...(outage === null ? [] : [`broker gone for ${outage.seconds} s: ${outage.back} back in ${say(outage.backSeconds, 's')} (${quantiles(outage.backMs)}); ${outage.waited} events waited, drained after ${say(outage.drainedSeconds, 's')}`]),
    `books: ${books.events} events of ${books.gates} gates; lost ${books.lost}, doubled ${books.doubled}, out of order ${books.reordered}, chain broken ${books.chainBroken}, malformed messages ${books.malformed}; sent again ${books.repeated}`,
    '',
  ].join('\n');
}
