import { distance } from 'fastest-levenshtein';
import type { z } from 'zod';
import type { RawFault } from './faults.js';
import { at, field, isRecord, type RawPath } from './raw.js';
import { showFound } from './redact.js';
import { configSchema } from './schema.js';
import { alternatives, chosen, configShape, exampleLine, keysOf, nodeAt, sampleOf, typeText, type ShapeNode } from './shape.js';

type Issue = z.core.$ZodIssue;

const SECRET_ADVICE = 'a secret is never written in this file: put it into a file of its own, or into the environment, and name that here';

/** Paths of zod may hold symbols in theory; ours never do. */
function pathOf(issue: Issue, before: RawPath): RawPath {
  return [...before, ...issue.path.filter((step) => typeof step !== 'symbol')];
}

function isSecret(node: ShapeNode | undefined): boolean {
  return node?.title?.startsWith('secret by reference') === true;
}

function fault(root: unknown, path: RawPath, expected: string, node: ShapeNode | undefined): RawFault {
  return { path, found: showFound(path, at(root, path)), expected, example: node === undefined ? undefined : exampleLine(path, sampleOf(node)) };
}

/** The known key a typing error or another spelling most likely meant. */
export function nearestKey(key: string, known: readonly string[]): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/gu, '');
  const start = plain(key);
  const begun = known.filter((name) => start.length >= 3 && plain(name).startsWith(start));
  if (begun.length === 1) return begun[0];
  const ranked = known.map((name) => ({ name, away: distance(plain(key), plain(name)) })).sort((a, b) => a.away - b.away);
  const [best] = ranked;
  return best !== undefined && best.away <= Math.max(2, Math.floor(best.name.length / 3)) ? best.name : undefined;
}

function unknownKeys(root: unknown, path: RawPath, keys: readonly string[]): readonly RawFault[] {
  const node = nodeAt(root, path);
  const section = node === undefined ? undefined : chosen(node, at(root, path));
  const known = section === undefined ? [] : keysOf(section);
  return keys.map((key) => {
    const near = nearestKey(key, known.map(([name]) => name));
    const nearNode = known.find(([name]) => name === near)?.[1];
    const names = known.map(([name]) => name).join(', ');
    return {
      path: [...path, key],
      found: 'an unknown key',
      expected: path.length === 0 ? `one of ${names}` : `one of ${names} here`,
      nearest: near,
      example: near === undefined || nearNode === undefined ? undefined : exampleLine([near], sampleOf(nearNode)),
      atKey: true,
    };
  });
}

/** Of a union's alternatives, the faults of the one that was most likely meant. */
function unionFaults(root: unknown, path: RawPath, issue: Extract<Issue, { code: 'invalid_union' }>): readonly RawFault[] {
  const node = nodeAt(root, path);
  const value = at(root, path);
  if (isSecret(node)) {
    return [{ path, found: showFound([...path, 'secret'], value), expected: `${node?.title ?? ''}; ${SECRET_ADVICE}`, example: node === undefined ? undefined : exampleLine(path, sampleOf(node)) }];
  }
  if (isRecord(value)) {
    const depth = (issues: readonly Issue[]): number => issues.filter((inner) => inner.code !== 'unrecognized_keys' && inner.path.length === 0).length;
    const [meant] = [...issue.errors].sort((a, b) => depth(a) - depth(b) || a.length - b.length);
    if (meant !== undefined && depth(meant) === 0) return meant.flatMap((inner) => issueFaults(root, inner, path));
  }
  return [fault(root, path, node === undefined ? 'another value' : expectedText(node, issue), node)];
}

function expectedText(node: ShapeNode, issue: Issue): string {
  const type = typeText(node);
  switch (issue.code) {
    case 'invalid_format':
      // Our own patterns carry words; those built in are described by the node.
      return issue.message.startsWith('Invalid') ? type : issue.message;
    case 'too_small':
      return issue.origin === 'string' ? 'some text' : type;
    default:
      return type;
  }
}

function issueFaults(root: unknown, issue: Issue, before: RawPath = []): readonly RawFault[] {
  const path = pathOf(issue, before);
  if (issue.code === 'unrecognized_keys') return unknownKeys(root, path, issue.keys);
  if (issue.code === 'invalid_union' && issue.errors.length > 0) return unionFaults(root, path, issue);
  const node = issue.code === 'invalid_union' ? discriminatorNode(root, path) : (nodeAt(root, path) ?? discriminatorNode(root, path));
  if (isSecret(node)) return [{ ...fault(root, path, `${node?.title ?? ''}; ${SECRET_ADVICE}`, node), found: showFound([...path, 'secret'], at(root, path)) }];
  const missing = at(root, path) === undefined;
  if (issue.code === 'invalid_union' && path.at(-1) === 'driver' && at(root, path) === 'onoff') {
    // The driver's name in the first configurations.
    return [{ ...fault(root, path, 'gpio: GPIO lines have this driver now; with interface: sysfs beside it they go through onoff as before', node), nearest: 'driver: gpio', example: '{id: gpio, driver: gpio, interface: sysfs}' }];
  }
  const expected = node === undefined ? issue.message : expectedText(node, issue);
  const why = missing && node?.description !== undefined ? `${expected}: ${node.description}` : expected;
  return [fault(root, path, why, node)];
}

/** Node that lists every value of a discriminator (`driver`, `kind`, `policy`), for when none of them was found. */
function discriminatorNode(root: unknown, path: RawPath): ShapeNode | undefined {
  const key = path.at(-1);
  const parent = nodeAt(root, path.slice(0, -1));
  if (typeof key !== 'string' || parent === undefined) return undefined;
  const values = alternatives(parent).map((option) => field(field(option.properties, key), 'const'));
  const names = values.filter((value) => typeof value === 'string');
  return names.length === 0 ? undefined : { type: 'string', enum: names };
}

/** Every way in which a value, straight from YAML, departs from the schema. */
export function schemaFaults(root: unknown): readonly RawFault[] {
  if (!isRecord(root)) {
    const found = root === null || root === undefined ? 'an empty file' : showFound([], root);
    return [{ path: [], found, expected: `sections: ${keysOf(configShape).map(([key]) => key).join(', ')}`, example: 'site: {id: laurel-gardens, name: 月桂社区}' }];
  }
  const result = configSchema.safeParse(root);
  return result.success ? [] : result.error.issues.flatMap((issue) => issueFaults(root, issue));
}
