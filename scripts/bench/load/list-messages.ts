import { PlatformLists, type ListEntry } from '../../../src/uplink/index.js';

export const benchHouseholds = 50_000;
/** Households of a change: those of a busy day. */
const changed = 200;

export const benchPlate = (city: string, at: number): string => `闽${city}${String(at).padStart(5, '0')}`;

/** Two cars each. */
const household = (at: number, spaces: number): ListEntry => ({ kind: 'household', id: `h${at}`, name: `flat ${at}`, spaces, plates: [benchPlate('A', at), benchPlate('B', at)] });

/** A list of 100,000 plates as the platform sends it, and a change of it; one message a line. */
export function listMessages(): { readonly full: string; readonly delta: string } {
  const sent: string[] = [];
  const platform = new PlatformLists({ hear: () => () => undefined, post: (_to, _topic, message) => void sent.push(JSON.stringify(message)) });
  const next = (spacesOf: (at: number) => number): string => {
    platform.sendList('bench', 'gate', { entries: Array.from({ length: benchHouseholds }, (_, at) => household(at, spacesOf(at))) });
    return sent.splice(0).join('\n');
  };
  return { full: next(() => 2), delta: next((at) => (at < changed ? 1 : 2)) };
}
