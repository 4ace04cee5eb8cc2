import tseslint from 'typescript-eslint';
import { layers } from './scripts/layers.mjs';

const sockets = ['node:net', 'node:tls', 'node:dgram', 'net', 'tls', 'dgram'];
const files = ['node:fs', 'node:fs/promises', 'node:child_process', 'node:http', 'node:stream'];
const screens = ['chalk', 'ora'];

/** What a layer may not import beside what is above it, where that is not `forbiddenInSrc`. */
const alsoForbidden = {
  commands: [...screens, ...sockets],
  'src/report': ['commander', ...sockets],
  'src/net': ['commander', ...screens],
  'src/protocol': ['commander', ...screens, ...sockets, ...files],
  'src/address': ['commander', ...screens, ...sockets, ...files],
};
const forbiddenInSrc = ['commander', ...screens, ...sockets];

function layer(files, { paths = [], patterns = [] }) {
  const rule = [
    'error',
    {
      paths: paths.map((name) => ({
        name,
        message: 'This layer may not import it: see docs/architecture.md.',
      })),
      patterns: patterns.length
        ? [{ group: patterns, message: 'Arrows point down only: see docs/architecture.md.' }]
        : [],
    },
  ];
  return { files, rules: { '@typescript-eslint/no-restricted-imports': rule } };
}

export default tseslint.config(
  { ignores: ['dist/', 'node_modules/', '.ci/', 'native/build/', 'bench/out/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { project: './tsconfig.check.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // An overload a sentence of the documentation reads better than one with a union.
      '@typescript-eslint/unified-signatures': 'off',
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true },
      ],
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'exit', message: 'Set process.exitCode and let the handles close.' },
      ],
    },
  },
  ...layers.map((name, index) =>
    layer([`${name}/**/*.ts`], {
      paths: alsoForbidden[name] ?? forbiddenInSrc,
      patterns: layers.slice(0, index).map((above) => `**/${above.replace('src/', '')}/**`),
    }),
  ),
  layer(['src/*.ts'], {
    paths: forbiddenInSrc,
    patterns: layers.map((above) => `**/${above.replace('src/', '')}/**`),
  }),
  {
    files: ['src/**/*.ts'],
    rules: {
      'no-restricted-properties': [
        'error',
        { object: 'process', property: 'exit', message: 'Set process.exitCode and let the handles close.' },
        { object: 'process', property: 'exitCode', message: 'Only commands/ decide on the exit status.' },
        { object: 'process', property: 'stdin', message: 'Only commands/ know the standard streams.' },
        { object: 'process', property: 'stdout', message: 'Only commands/ know the standard streams.' },
        { object: 'process', property: 'stderr', message: 'Only commands/ know the standard streams.' },
      ],
    },
  },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
    },
  },
);
