import { importX } from 'eslint-plugin-import-x';
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
  uplink: ['base', 'config', 'journal'],
  ops: ['base'],
  sim: ['base', 'plate', 'device', 'config'],
  web: ['base', 'plate', 'config'],
};
const rooms = Object.keys(arrows);

const zones = rooms.map((room) => ({
  target: `./src/${room}`,
  from: './src',
  except: [`./${room}`, ...(arrows[room] ?? []).map((known) => `./${known}`)],
  message: `src/${room} may only know: ${[room, ...(arrows[room] ?? [])].join(', ')}.`,
}));

/** Rooms without clock, randomness, files or network: time and identifiers come in as arguments. */
const pureRooms = ['src/plate/**', 'src/access/**', 'src/lane/**', 'src/base/**'];
/** The one impure file of a pure room: the runner, the repository and the system clock. */
const impureFiles = ['src/lane/runner.ts', 'src/access/repository.ts', 'src/base/system-clock.ts', 'src/base/entry.ts'];

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.cache/', 'coverage/', 'scripts/train/', '**/*.js', '**/*.mjs'] },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [...tseslint.configs.strictTypeChecked],
    plugins: { 'import-x': importX },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'import-x/no-restricted-paths': ['error', { zones }],
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
    files: pureRooms,
    ignores: impureFiles,
    rules: {
      'no-restricted-imports': ['error', { patterns: [{ regex: '^node:', message: 'A pure room knows no Node module.' }] }],
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
  {
    // Tests reach into every room, and may build broken input on purpose.
    files: ['test/**/*.ts'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'error' },
  },
);
