/** Gates of one site: an estate has an east and a west gate. */
const gatesOfSite = 2;

/** Names of the gate with this number, from 0. */
export function gateNames(number: number): { readonly site: string; readonly gate: string } {
  return { site: `estate-${Math.floor(number / gatesOfSite) + 1}`, gate: number % gatesOfSite === 0 ? 'east' : 'west' };
}

/** The sites of which a consumer takes care: all gates of a site go to the same one, so that one process sees a gate's events in order. */
export function sitesOf(consumer: number, consumers: number, gates: number): readonly string[] {
  const sites = Math.ceil(gates / gatesOfSite);
  return Array.from({ length: sites }, (_, index) => index).filter((index) => index % consumers === consumer).map((index) => gateNames(index * gatesOfSite).site);
}
