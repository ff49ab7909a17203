/**
 * What can go wrong, or be ordered, in a random world.
 * `touches` says what an account must not rest on meanwhile: `inputs` and `outputs` the wires, `motor` the arm itself,
 * `gateway` the program, `people` orders of persons. `nothing`: the boom and the counts are as if it had not been.
 */
interface Kind {
  readonly touches: 'inputs' | 'outputs' | 'motor' | 'gateway' | 'people' | 'nothing';
}

const kinds = {
  'loop-stuck-on': { touches: 'inputs' },
  'loop-stuck-off': { touches: 'inputs' },
  'loop-flicker': { touches: 'inputs' },
  'loop-fault': { touches: 'inputs' },
  'loop-unknown': { touches: 'inputs' },
  'loop-drift': { touches: 'nothing' },
  'beam-stuck-on': { touches: 'inputs' },
  'beam-stuck-off': { touches: 'inputs' },
  'beam-flicker': { touches: 'inputs' },
  'beam-fault': { touches: 'inputs' },
  'limit-stuck-on': { touches: 'inputs' },
  'limit-stuck-off': { touches: 'inputs' },
  'limit-flicker': { touches: 'inputs' },
  'limit-lost': { touches: 'inputs' },
  'limits-both-on': { touches: 'inputs' },
  'button-stuck': { touches: 'people' },
  'button-flicker': { touches: 'people' },
  'stop-stuck': { touches: 'people' },
  'stop-flicker': { touches: 'people' },
  'fire-flicker': { touches: 'people' },
  'input-late': { touches: 'inputs' },
  'edges-lost': { touches: 'inputs' },
  'device-lost': { touches: 'outputs' },
  'relay-lost': { touches: 'outputs' },
  'output-fails': { touches: 'outputs' },
  'output-dead': { touches: 'outputs' },
  'relay-welded': { touches: 'outputs' },
  'boom-jammed': { touches: 'motor' },
  'motor-slow': { touches: 'motor' },
  'journal-slow': { touches: 'nothing' },
  'journal-fails': { touches: 'nothing' },
  'decision-late': { touches: 'people' },
  'decision-fails': { touches: 'people' },
  'vision-down': { touches: 'people' },
  misread: { touches: 'people' },
  restart: { touches: 'gateway' },
  crash: { touches: 'gateway' },
  stall: { touches: 'gateway' },
  'clock-step': { touches: 'nothing' },
  fire: { touches: 'people' },
  'stop-pressed': { touches: 'people' },
  'button-pressed': { touches: 'people' },
  'command-open': { touches: 'people' },
  'command-close': { touches: 'people' },
  'command-hold': { touches: 'people' },
  'command-stop': { touches: 'people' },
  'command-twice': { touches: 'people' },
} as const satisfies Readonly<Record<string, Kind>>;

export type LaneFaultKind = keyof typeof kinds;

function isKind(name: string): name is LaneFaultKind {
  return name in kinds;
}

export const laneFaultKinds: readonly LaneFaultKind[] = Object.keys(kinds).filter(isKind);

export function touches(kind: LaneFaultKind): Kind['touches'] {
  return kinds[kind].touches;
}

/** Faults under which every vehicle still has one honest account. */
export const harmlessKinds: readonly LaneFaultKind[] = laneFaultKinds.filter((kind) => touches(kind) === 'nothing');
