/**
 * Networks of a few nodes, written as ONNX files byte by byte (protocol buffers, onnx.proto of ONNX 1.12, operators of
 * version 13): enough to be opened and run by the real runtime, and to answer as a test wants.
 */

type Bytes = readonly number[];

function varint(value: number): Bytes {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push((rest % 128) + (rest >= 128 ? 128 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return bytes;
}

const number = (field: number, value: number): Bytes => [...varint(field * 8), ...varint(value)];
const block = (field: number, bytes: Bytes | Uint8Array): Bytes => [...varint(field * 8 + 2), ...varint(bytes.length), ...bytes];
const text = (field: number, value: string): Bytes => block(field, Buffer.from(value, 'utf8'));

const elementTypes = { float32: 1, int64: 7, float64: 11 } as const;
export type ElementType = keyof typeof elementTypes;

/** A size, or the name of one that is open. */
type Dimension = number | string;

function valueInfo(name: string, type: ElementType, shape: readonly Dimension[]): Bytes {
  const dimensions = shape.flatMap((size) => block(1, typeof size === 'number' ? number(1, size) : text(2, size)));
  return [...text(1, name), ...block(2, block(1, [...number(1, elementTypes[type]), ...block(2, dimensions)]))];
}

function floats(name: string, shape: readonly number[], values: readonly number[]): Bytes {
  return [...shape.flatMap((size) => number(1, size)), ...number(2, elementTypes.float32), ...text(8, name), ...block(9, new Uint8Array(Float32Array.from(values).buffer))];
}

function integers(name: string, values: readonly number[]): Bytes {
  return [...number(1, values.length), ...number(2, elementTypes.int64), ...text(8, name), ...block(9, new Uint8Array(BigInt64Array.from(values.map(BigInt)).buffer))];
}

const attribute = (name: string, values: readonly number[]): Bytes => [...text(1, name), ...values.flatMap((value) => number(8, value)), ...number(20, 7)];
const single = (name: string, value: number): Bytes => [...text(1, name), ...number(3, value), ...number(20, 2)];

function node(operator: string, inputs: readonly string[], output: string, attributes: readonly Bytes[] = []): Bytes {
  return [...inputs.flatMap((name) => text(1, name)), ...text(2, output), ...text(4, operator), ...attributes.flatMap((each) => block(5, each))];
}

interface Graph {
  readonly input: { readonly name: string; readonly type?: ElementType; readonly shape: readonly Dimension[] };
  readonly nodes: readonly Bytes[];
  readonly constants: readonly Bytes[];
  readonly outputs: readonly { readonly name: string; readonly type?: ElementType; readonly shape: readonly Dimension[] }[];
}

function network({ input, nodes, constants, outputs }: Graph): Buffer {
  const graph = [
    ...nodes.flatMap((each) => block(1, each)),
    ...text(2, 'tiny'),
    ...constants.flatMap((each) => block(5, each)),
    ...block(11, valueInfo(input.name, input.type ?? 'float32', input.shape)),
    ...outputs.flatMap(({ name, type, shape }) => block(12, valueInfo(name, type ?? 'float32', shape))),
  ];
  return Buffer.from([...number(1, 8), ...block(7, graph), ...block(8, [...text(1, ''), ...number(2, 13)])]);
}

const zeros = (count: number): number[] => Array.from({ length: count }, () => 0);

export interface TinyDetector {
  readonly input?: string;
  readonly type?: ElementType;
  /** Names of its outputs. */
  readonly score?: string;
  readonly corners?: string;
  /** Input pixels per cell. */
  readonly stride?: number;
}

/** A detector that finds nothing anywhere. */
export function tinyDetector({ input = 'image', type = 'float32', score = 'score', corners = 'corners', stride = 8 }: TinyDetector = {}): Buffer {
  const strides = attribute('strides', [stride, stride]);
  const picture = type === 'float32' ? input : 'narrowed';
  return network({
    input: { name: input, type, shape: [1, 3, 'height', 'width'] },
    nodes: [
      ...(type === 'float32' ? [] : [node('Cast', [input], picture, [single('to', elementTypes.float32)])]),
      node('Conv', [picture, 'w2'], score, [strides]),
      node('Conv', [picture, 'w8'], corners, [strides]),
    ],
    constants: [floats('w2', [2, 3, stride, stride], zeros(6 * stride * stride)), floats('w8', [8, 3, stride, stride], zeros(24 * stride * stride))],
    outputs: [
      { name: score, shape: [1, 2, 'rows', 'columns'] },
      { name: corners, shape: [1, 8, 'rows', 'columns'] },
    ],
  });
}

export interface TinyReader {
  readonly input?: string;
  readonly layout?: 'NCHW' | 'NHWC';
  readonly width?: number;
  readonly height?: number;
  /**
   * What it answers for each place (slot, step) and character: `bias` plus `weights` times the mean of the input's three
   * channels, in the order in which they arrive.
   */
  readonly characters: readonly (readonly { readonly bias: number; readonly weights?: readonly [number, number, number] }[])[];
  /** Places last, as `[count, alphabet, places]`. */
  readonly placesLast?: boolean;
  /** Further outputs and how many values each has; ours where omitted. */
  readonly others?: Readonly<Record<string, number>>;
  readonly type?: ElementType;
}

/** A reader that answers by the mean colour of what it is shown. */
export function tinyReader({ input = 'plates', layout = 'NCHW', width = 128, height = 48, characters, placesLast = false, others = { class: 5, rows: 2 }, type = 'float32' }: TinyReader): Buffer {
  const places = characters.length;
  const size = characters[0]?.length ?? 0;
  const values = characters.flat();
  const answer = placesLast || type !== 'float32' ? 'answer' : 'characters';
  const turned = type === 'float32' ? 'characters' : 'turned';
  return network({
    input: { name: input, shape: layout === 'NCHW' ? ['count', 3, height, width] : ['count', height, width, 3] },
    nodes: [
      ...(layout === 'NHWC' ? [node('Transpose', [input], 'planes', [attribute('perm', [0, 3, 1, 2])])] : []),
      node('GlobalAveragePool', [layout === 'NHWC' ? 'planes' : input], 'mean'),
      node('Conv', ['mean', 'weights', 'bias'], 'flat'),
      node('Reshape', ['flat', 'places'], answer),
      ...(placesLast ? [node('Transpose', [answer], turned, [attribute('perm', [0, 2, 1])])] : []),
      ...(type === 'float32' ? [] : [node('Cast', [placesLast ? turned : answer], 'characters', [single('to', elementTypes[type])])]),
      ...Object.keys(others).flatMap((name) => [node('Conv', ['mean', `${name}-weights`], `${name}-flat`), node('Reshape', [`${name}-flat`, `${name}-shape`], name)]),
    ],
    constants: [
      floats('weights', [values.length, 3, 1, 1], values.flatMap(({ weights }) => weights ?? [0, 0, 0])),
      floats('bias', [values.length], values.map(({ bias }) => bias)),
      integers('places', [-1, places, size]),
      ...Object.entries(others).flatMap(([name, count]) => [floats(`${name}-weights`, [count, 3, 1, 1], zeros(count * 3)), integers(`${name}-shape`, [-1, count])]),
    ],
    outputs: [
      { name: 'characters', type, shape: placesLast ? ['count', size, places] : ['count', places, size] },
      ...Object.entries(others).map(([name, count]) => ({ name, shape: ['count', count] })),
    ],
  });
}
