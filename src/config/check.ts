import { LineCounter, isMap, isNode, isScalar, parseDocument, visit, type Document, type ErrorCode } from 'yaml';
import { wiringHints } from './check-serial.js';
import { crossCheck } from './cross-check.js';
import type { ConfigFault, RawFault } from './faults.js';
import { pathText, type RawPath } from './raw.js';
import { schemaFaults } from './schema-faults.js';
import { configSchema, type GateConfig } from './schema.js';

/** What a syntax fault means, in words; the parser's own words may quote the file and with it a secret. */
const SYNTAX: Readonly<Partial<Record<ErrorCode, readonly [found: string, expected: string, example?: string]>>> = {
  BAD_INDENT: ['a line indented differently from its neighbours, or a bracket left open before it', 'the same number of spaces before all keys of a section, and every bracket closed'],
  TAB_AS_INDENT: ['a tab at the start of a line', 'spaces; YAML does not allow tabs there'],
  DUPLICATE_KEY: ['a key a second time in one section', 'every key once'],
  MISSING_CHAR: ['a quote or bracket left open before this place, or a colon missing', 'every quote and bracket closed, and a colon and a space after a key', 'name: "East gate"'],
  BAD_SCALAR_START: ['text that starts with a character YAML keeps for itself', 'quotes around it', 'name: "@home"'],
  BLOCK_AS_IMPLICIT_KEY: ['two values on one line', 'one key and one value a line'],
  MULTILINE_IMPLICIT_KEY: ['a line without a colon', 'a key, a colon, a space and a value', 'name: East gate'],
  UNEXPECTED_TOKEN: ['a character that does not belong here', 'a key and a value, or an entry of a list'],
  MULTIPLE_DOCS: ['a second document after ---', 'one document'],
};

function parse(text: string): { readonly document: Document; readonly lines: LineCounter } {
  const lines = new LineCounter();
  return { document: parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2' }), lines };
}

/** Offset of a path in the text; of the nearest section above where the path itself is not there. */
function offsetOf(document: Document, path: RawPath, atKey: boolean): number | undefined {
  for (let length = path.length; length >= 0; length -= 1) {
    const parent: unknown = length === 0 ? undefined : document.getIn(path.slice(0, length - 1), true);
    // The key is what a reader looks for; entries of lists have none.
    const pair = isMap(parent) ? parent.items.find(({ key }) => isScalar(key) && key.value === path[length - 1]) : undefined;
    if (pair !== undefined && isNode(pair.key)) {
      const value = atKey || length < path.length || !isScalar(pair.value) ? pair.key : pair.value;
      return value.range?.[0];
    }
    const node: unknown = document.getIn(path.slice(0, length), true);
    if (isNode(node) && Array.isArray(node.range)) return node.range[0];
  }
  return undefined;
}

interface Checked {
  readonly faults: readonly ConfigFault[];
  /** What works but is not wise, in the form of faults. */
  readonly hints: readonly ConfigFault[];
  /** Set when there are no faults. */
  readonly config: GateConfig | undefined;
}

/** Parses and checks a file's text; with no faults, also the configuration with its defaults. */
export function readConfig(text: string): Checked {
  const { document, lines } = parse(text);
  const place = (offset: number | undefined): { line: number | null; column: number | null } => {
    if (offset === undefined) return { line: null, column: null };
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const syntax = document.errors.map((error): ConfigFault => {
    const [found, expected, example] = SYNTAX[error.code] ?? ['text that is no YAML', 'keys and values as in the examples that come with the product'];
    return { path: '', ...place(error.pos[0]), found, expected, example: example ?? null, nearest: null };
  });
  // A doubled key leaves the rest readable; anything else makes what follows a guess.
  if (document.errors.some(({ code }) => code !== 'DUPLICATE_KEY')) return { faults: syntax, hints: [], config: undefined };

  const loose: ConfigFault[] = [];
  visit(document, {
    Alias: (_key, alias) => {
      if (alias.resolve(document) !== undefined) return;
      loose.push({ path: '', ...place(alias.range?.[0]), found: 'an alias (*) for which there is no anchor (&) above', expected: 'quotes around text that starts with *', example: 'name: "*home"', nearest: null });
    },
  });
  if (loose.length > 0) return { faults: [...syntax, ...loose], hints: [], config: undefined };

  let root: unknown;
  try {
    root = document.toJS({ maxAliasCount: 100 });
  } catch {
    return { faults: [{ path: '', line: null, column: null, found: 'aliases (*) that multiply', expected: 'values written out', example: null, nearest: null }], hints: [], config: undefined };
  }
  const placed = (fault: RawFault): ConfigFault => ({
    path: pathText(fault.path),
    ...place(offsetOf(document, fault.path, fault.atKey === true)),
    found: fault.found,
    expected: fault.expected,
    example: fault.example ?? null,
    nearest: fault.nearest ?? null,
  });
  const faults = [...syntax, ...[...schemaFaults(root), ...crossCheck(root)].map(placed)].sort((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
  const parsed = faults.length === 0 ? configSchema.safeParse(root) : undefined;
  return { faults, hints: wiringHints(root).map(placed), config: parsed?.data };
}

/** Every fault of a configuration file, in the order of the file; none when it is right. Never throws. */
export function checkConfig(text: string): ConfigFault[] {
  return [...readConfig(text).faults];
}

/** What works in a configuration file but is not wise, in the order of the file. Never throws. */
export function configHints(text: string): ConfigFault[] {
  return [...readConfig(text).hints];
}
