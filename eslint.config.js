import tseslint from 'typescript-eslint';

/**
 * The arrows between the rooms (folders of src). A room may import only the rooms named for it; what is missing here
 * is forbidden, so that a new arrow is a decision and not an accident. `main.ts` and `cli.ts` wire everything.
 */
/** @type {Record<string, readonly string[]>} */
const arrows = {
  base: [],
  plate: ['base'],
  access: ['base', 'plate'],
  device: ['base'],
  lane: ['base', 'plate', 'access', 'device'],
  config: ['base', 'plate'],
  camera: ['base', 'config'],
  vision: ['base', 'plate', 'config', 'camera'],
  journal: ['base'],
  lists: ['base', 'plate', 'access', 'journal'],
  supervisor: ['base', 'config', 'device', 'ops'],
  uplink: ['base', 'config', 'journal', 'lists'],
  platform: ['base', 'config', 'journal', 'lists', 'uplink'],
  ops: ['base'],
  sim: ['base', 'plate', 'device', 'config'],
  web: ['base', 'plate', 'config'],
};
const rooms = Object.keys(arrows);

/** Rooms without clock, randomness, files or network: time and identifiers come in as arguments. */
const pureRooms = ['plate', 'access', 'lane', 'base'];
/** The impure files of the pure rooms: the runner, the repository, the system clock, the finder of entry files, durable files. */
const impureFiles = ['src/lane/runner.ts', 'src/access/repository.ts', 'src/base/system-clock.ts', 'src/base/entry.ts', 'src/base/durable-file.ts', 'src/base/private-socket.ts'];

/** What a file `depth` folders inside a room must not import: rooms it may not know, and the wiring. */
const forbidden = (room, depth) => {
  const known = [room, ...arrows[room]];
  const strangers = [...rooms.filter((other) => !known.includes(other)), 'daemon', 'cli'];
  const files = ['main', 'cli', 'demo', 'supervisor'];
  return {
    regex: `^${'\\.\\./'.repeat(depth)}(?:(?:${strangers.join('|')})/|(?:${files.join('|')})\\.js$)`,
    message: `src/${room} may only know: ${known.join(', ')}.`,
  };
};
const noNode = { regex: '^node:', message: 'A pure room knows no Node module.' };

const roomRules = rooms.flatMap((room) =>
  [1, 2, 3].flatMap((depth) => {
    const files = ['ts', 'tsx'].map((ending) => `src/${room}/${'*/'.repeat(depth - 1)}*.${ending}`);
    const patterns = [forbidden(room, depth)];
    const arrowRule = { files, rules: { 'no-restricted-imports': ['error', { patterns }] } };
    if (!pureRooms.includes(room)) return [arrowRule];
    return [arrowRule, { files, ignores: impureFiles, rules: { 'no-restricted-imports': ['error', { patterns: [...patterns, noNode] }] } }];
  }),
);

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.cache/', 'coverage/', 'scripts/train/', '**/*.js', '**/*.mjs'] },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'never' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true, argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' }],
      eqeqeq: 'error',
    },
  },
  {
    // `as const` is no cast; the rule above forbids only assertions that change a type.
    files: ['src/**/*.ts', 'src/**/*.tsx'],
    rules: {
      'no-restricted-globals': ['error', { name: 'setImmediate', message: 'Use the injected clock.' }],
    },
  },
  {
    files: pureRooms.map((room) => `src/${room}/**`),
    ignores: impureFiles,
    rules: {
      'no-restricted-globals': [
        'error',
        ...['Date', 'setTimeout', 'setInterval', 'setImmediate', 'performance', 'process', 'Buffer', 'fetch'].map((name) => ({
          name,
          message: 'A pure room takes time and identifiers as arguments.',
        })),
      ],
      'no-restricted-properties': ['error', { object: 'Math', property: 'random', message: 'A pure room has no randomness.' }],
    },
  },
  ...roomRules,
  {
    // Tests reach into every room, and may build broken input on purpose.
    files: ['test/**/*.ts'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'error' },
  },
);
