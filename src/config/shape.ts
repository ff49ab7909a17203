import { stringify } from 'yaml';
import { z } from 'zod';
import { field, isRecord, type RawPath } from './raw.js';
import { configSchema } from './schema.js';

/** A node of the configuration's JSON Schema. */
export type ShapeNode = z.core.JSONSchema.BaseSchema;

/** JSON Schema (draft 2020-12) of the file, generated from the one schema: for editors, the web form and this room. */
export const configShape: ShapeNode = z.toJSONSchema(configSchema, { io: 'input' });

const asNode = (node: unknown): ShapeNode | undefined => (isRecord(node) ? node : undefined);

/** The alternatives of a union; the node itself where it is none. */
export function alternatives(node: ShapeNode): readonly ShapeNode[] {
  const options = node.oneOf ?? node.anyOf;
  return options ?? [node];
}

/** Keys of a section with their nodes. */
export function keysOf(node: ShapeNode): readonly (readonly [string, ShapeNode])[] {
  return Object.entries(node.properties ?? {}).flatMap(([key, inner]) => {
    const known = asNode(inner);
    return known === undefined ? [] : [[key, known] as const];
  });
}

export function itemOf(node: ShapeNode): ShapeNode | undefined {
  return Array.isArray(node.items) ? undefined : asNode(node.items);
}

/** `driver` or `kind`: the key whose fixed values tell the alternatives apart. */
export function discriminatorOf(options: readonly ShapeNode[]): string | undefined {
  const [first] = options;
  if (first === undefined || options.length < 2) return undefined;
  return keysOf(first).find(([key]) => options.every((option) => asNode(option.properties?.[key])?.const !== undefined))?.[0];
}

/** The alternative a value means: by its discriminator, else for a section the one that knows most of its keys, else the first of its kind. */
export function chosen(node: ShapeNode, value: unknown): ShapeNode {
  const options = alternatives(node);
  const key = discriminatorOf(options);
  const byKey = key === undefined ? undefined : options.find((option) => asNode(option.properties?.[key])?.const === field(value, key));
  if (byKey !== undefined) return byKey;
  const known = (option: ShapeNode): number => (isRecord(value) ? Object.keys(value).filter((name) => option.properties?.[name] !== undefined).length : 0);
  const ofKind = options.filter((option) => (option.type === 'object') === isRecord(value)).sort((a, b) => known(b) - known(a));
  return ofKind[0] ?? options[0] ?? node;
}

/** The node that describes a path of the file, by the values on the way; undefined where the path is unknown. */
export function nodeAt(root: unknown, path: RawPath): ShapeNode | undefined {
  let node: ShapeNode | undefined = configShape;
  let value = root;
  for (const step of path) {
    if (node === undefined) return undefined;
    const here: ShapeNode = chosen(node, value);
    if (typeof step === 'number') {
      node = asNode(here.prefixItems?.[step]) ?? itemOf(here);
      value = Array.isArray(value) ? value[step] : undefined;
    } else {
      node = asNode(here.properties?.[step]);
      value = field(value, step);
    }
  }
  return node;
}

const quoted = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** What a value must be, in words: `whole number, 100 to 2000`. */
export function typeText(node: ShapeNode): string {
  if (node.title !== undefined) return node.title;
  const options = alternatives(node);
  if (options.length > 1) {
    const fixed = options.map((option) => option.const);
    if (fixed.every((value) => value !== undefined)) return `one of ${fixed.map(quoted).join(', ')}`;
    const key = discriminatorOf(options);
    if (key !== undefined) return `section with ${key}: ${options.map((option) => quoted(asNode(option.properties?.[key])?.const)).join(' | ')}`;
    return options.map(typeText).join(', or ');
  }
  if (node.const !== undefined) return quoted(node.const);
  if (node.enum !== undefined) return `one of ${node.enum.map(quoted).join(', ')}`;
  switch (node.type) {
    case 'boolean':
      return 'true or false';
    case 'integer':
      return `whole number${range(node.minimum, node.maximum)}`;
    case 'number':
      return `number${range(node.minimum, node.maximum)}`;
    case 'string':
      return node.maxLength === undefined ? 'text' : `text, at most ${node.maxLength} characters`;
    case 'array': {
      const item = itemOf(node);
      const least = node.minItems === undefined ? '' : `, at least ${node.minItems}`;
      return `list${item === undefined || item.type === 'object' || item.oneOf !== undefined ? '' : ` (${typeText(item)})`}${least}`;
    }
    default:
      return 'section';
  }
}

function range(least: number | undefined, most: number | undefined): string {
  const from = least === undefined || least <= Number.MIN_SAFE_INTEGER ? undefined : least;
  const to = most === undefined || most >= Number.MAX_SAFE_INTEGER ? undefined : most;
  if (from !== undefined && to !== undefined) return `, ${from} to ${to}`;
  if (from !== undefined) return `, at least ${from}`;
  return to === undefined ? '' : `, at most ${to}`;
}

/** A value that would be right: the given example, the default, or the least that is valid. */
export function sampleOf(node: ShapeNode): unknown {
  const example: unknown = node.examples?.[0];
  if (example !== undefined) return example;
  if (node.default !== undefined && !(isRecord(node.default) && Object.keys(node.default).length === 0)) return node.default;
  const [first = node] = alternatives(node);
  if (first !== node) return sampleOf(first);
  if (node.const !== undefined) return node.const;
  if (node.enum !== undefined) return node.enum[0];
  switch (node.type) {
    case 'boolean':
      return true;
    case 'integer':
    case 'number':
      return node.minimum ?? 1;
    case 'string':
      return 'text';
    case 'array': {
      const item = itemOf(node);
      return item === undefined ? [] : [sampleOf(item)];
    }
    default: {
      const needed = keysOf(node).filter(([key]) => node.required?.includes(key) === true);
      return Object.fromEntries(needed.map(([key, inner]) => [key, sampleOf(inner)]));
    }
  }
}

/** `key: value` on one line of YAML, to copy. */
export function exampleLine(path: RawPath, value: unknown): string {
  const flow = stringify(value, { collectionStyle: 'flow', lineWidth: 0, flowCollectionPadding: false }).trim();
  const last = path.at(-1);
  return typeof last === 'string' ? `${last}: ${flow}` : `- ${flow}`;
}
