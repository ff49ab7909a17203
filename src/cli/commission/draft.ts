import { Document } from 'yaml';
import type { DeviceConfig } from '../../config/index.js';
import type { LineRef } from '../../device/index.js';
import { laneIndex } from '../config-file.js';
import type { OutputLines } from './outputs.js';

/** Everything a commissioning has found out of one lane. */
export interface LaneDraft {
  readonly id: string;
  readonly name: string;
  readonly direction: 'entry' | 'exit';
  readonly closing: 'gateway-closes' | 'barrier-closes';
  readonly drive: 'pulse' | 'hold-to-open';
  readonly devices: readonly DeviceConfig[];
  readonly inputs: Readonly<Partial<Record<string, LineRef>>>;
  readonly outputs: OutputLines;
  readonly openTimeMs: number | undefined;
  readonly closeTimeMs: number | undefined;
  readonly camera: CameraDraft | undefined;
}

export interface CameraDraft {
  readonly id: string;
  readonly source: { readonly kind: 'rtsp' | 'http'; readonly url: string; readonly username?: string; readonly password?: { readonly file: string } };
}

export interface SiteDraft {
  readonly siteId: string;
  readonly siteName: string;
  readonly gateId: string;
  readonly gateName: string;
  readonly dataDirectory: string;
}

/** A configuration without lanes; they are added to it. */
export function newDocument(site: SiteDraft): Document {
  const document = new Document({
    version: 1,
    site: { id: site.siteId, name: site.siteName },
    gate: { id: site.gateId, name: site.gateName, dataDirectory: site.dataDirectory },
    devices: [],
    lanes: [],
  });
  document.commentBefore = ' Laurel Gate. Written by gatectl commission.\n Check this file:      gatectl config check FILE\n Every key explained:  gatectl config explain';
  return document;
}

/** Only what has to be said: what is as it usually is stays out of the file. */
function deviceEntry(device: DeviceConfig): Record<string, unknown> {
  if (device.driver !== 'modbus') return { id: device.id, driver: device.driver };
  const { id, driver, path, baudRate, parity, units } = device;
  return { id, driver, path, baudRate, ...(parity === 'none' ? {} : { parity }), units: units.map(({ unit, profile }) => ({ unit, profile })) };
}

/** Adds a lane to a configuration, or gives an existing one its new wiring; everything else, comments too, stays. */
export function addLane(document: Document, draft: LaneDraft): void {
  const flow = (value: unknown): unknown => document.createNode(value, { flow: true });
  const ids = new Set(listOf(document, 'devices'));
  for (const device of draft.devices) {
    if (!ids.has(device.id)) document.addIn(['devices'], document.createNode(deviceEntry(device)));
  }
  let index = laneIndex(document, draft.id);
  if (index === undefined) {
    index = listOf(document, 'lanes').length;
    document.addIn(['lanes'], document.createNode({ id: draft.id, name: draft.name, direction: draft.direction, barrier: {}, inputs: {} }));
  }
  const lane = ['lanes', index] as const;
  document.setIn([...lane, 'name'], draft.name);
  document.setIn([...lane, 'direction'], draft.direction);
  document.setIn([...lane, 'barrier', 'closing'], draft.closing);
  if (draft.drive !== 'pulse' || document.hasIn([...lane, 'barrier', 'drive'])) document.setIn([...lane, 'barrier', 'drive'], draft.drive);
  for (const role of ['open', 'close', 'stop', 'greenLight', 'redLight'] as const) setLine([...lane, 'barrier', role], draft.outputs[role]);
  if (draft.openTimeMs !== undefined) document.setIn([...lane, 'barrier', 'openTimeMs'], draft.openTimeMs);
  if (draft.closeTimeMs !== undefined) document.setIn([...lane, 'barrier', 'closeTimeMs'], draft.closeTimeMs);
  for (const role of inputRoles) setLine([...lane, 'inputs', role], draft.inputs[role]);
  if (draft.camera !== undefined) {
    const { camera } = draft;
    const at = listOf(document, 'cameras').indexOf(camera.id);
    if (at >= 0) document.setIn(['cameras', at, 'source'], document.createNode(camera.source));
    else if (document.has('cameras')) document.addIn(['cameras'], document.createNode(camera));
    else document.set('cameras', document.createNode([camera]));
    document.setIn([...lane, 'camera'], camera.id);
  }

  function setLine(path: readonly (string | number)[], ref: LineRef | undefined): void {
    if (ref !== undefined) document.setIn(path, flow(ref));
    else if (document.hasIn(path)) document.deleteIn(path);
  }
}

export const inputRoles = ['approach', 'closing', 'beam', 'openLimit', 'closedLimit', 'fire', 'stop', 'button'] as const;

/** Ids of the entries of a list of the configuration. */
function listOf(document: Document, key: string): readonly string[] {
  const plain: unknown = document.toJS();
  if (typeof plain !== 'object' || plain === null || !(key in plain)) return [];
  const list: unknown = Object.entries(plain).find(([name]) => name === key)?.[1];
  if (!Array.isArray(list)) return [];
  return list.map((entry: unknown) => (typeof entry === 'object' && entry !== null && 'id' in entry ? String(entry.id) : ''));
}
