import { stringify } from 'yaml';
import { isRecord } from './raw.js';
import { alternatives, configShape, discriminatorOf, itemOf, keysOf, typeText, type ShapeNode } from './shape.js';

/** One key of the configuration, for a table, a page or the command line. */
export interface ConfigKey {
  /** `lanes[].barrier.pulseMs`; where a section has several forms, `devices[driver=modbus].path`. */
  readonly path: string;
  readonly type: string;
  readonly required: boolean;
  /** As written in the file; null where there is none. */
  readonly default: string | null;
  readonly description: string;
  readonly example: string | null;
}

const written = (value: unknown): string => stringify(value, { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: false }).trim();

interface Tour {
  readonly keys: ConfigKey[];
  /** Named parts explained already. */
  readonly seen: Set<string>;
}

function walk(path: string, node: ShapeNode, required: boolean, tour: Tour): void {
  const plainDefault = node.default === undefined || (isRecord(node.default) && Object.keys(node.default).length === 0) ? null : written(node.default);
  const example: unknown = node.examples?.[0];
  tour.keys.push({ path, type: typeText(node), required, default: plainDefault, description: node.description ?? '', example: example === undefined ? null : written(example) });
  inside(path, node, tour);
}

/** Keys below a node, entries of lists and every form of a union included. Named parts (a line, a secret) come once. */
function inside(path: string, node: ShapeNode, tour: Tour): void {
  const item = itemOf(node);
  if (item !== undefined && node.type === 'array') {
    inside(`${path}[]`, item, tour);
    return;
  }
  if (node.title !== undefined) {
    if (tour.seen.has(node.title)) return;
    tour.seen.add(node.title);
  }
  const options = alternatives(node);
  const key = discriminatorOf(options);
  for (const option of options) {
    const form = key === undefined ? path : formPath(path, key, option);
    for (const [name, inner] of keysOf(option)) walk(form === '' ? name : `${form}.${name}`, inner, option.required?.includes(name) === true, tour);
  }
}

function formPath(path: string, key: string, option: ShapeNode): string {
  const value = keysOf(option).find(([name]) => name === key)?.[1].const;
  return `${path.endsWith('[]') ? path.slice(0, -2) : path}[${key}=${String(value)}]`;
}

/** Every key of the configuration, generated from the schema, in the order of the file. */
export function configKeys(): readonly ConfigKey[] {
  const tour: Tour = { keys: [], seen: new Set() };
  inside('', configShape, tour);
  return tour.keys;
}

/**
 * The configuration explained for a terminal: every key with type, default and description.
 * @param only shows keys whose path contains this text, e.g. `barrier`
 */
export function explainConfig(only = ''): string {
  const wanted = configKeys().filter(({ path }) => path.includes(only));
  return wanted
    .map(({ path, type, required, default: preset, description, example }) => {
      const state = required ? 'required' : preset === null ? 'optional' : `default ${preset}`;
      const lines = [path, `    ${type}; ${state}`];
      if (description !== '') lines.push(`    ${description}`);
      if (example !== null) lines.push(`    e.g. ${example}`);
      return lines.join('\n');
    })
    .join('\n');
}
