import tseslint from 'typescript-eslint';

/**
 * The layers of docs/architecture.md as rules. Arrows point down only:
 * bin → commands → { endpoint, flow, record, report, access, transform, protocol } → net → node:*.
 */
const sockets = ['node:net', 'node:tls', 'node:dgram', 'net', 'tls', 'dgram'];
const middle = ['endpoint', 'flow', 'record', 'report', 'access', 'transform', 'protocol', 'proxy'];
const siblings = (...names) => names.map((name) => `**/${name}/**`);

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

const screens = ['chalk', 'ora'];

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
  layer(['src/**/*.ts'], { paths: ['commander', ...screens, ...sockets], patterns: ['**/commands/**'] }),
  layer(['src/net/**/*.ts'], {
    paths: ['commander', ...screens],
    patterns: ['**/commands/**', ...siblings(...middle)],
  }),
  layer(['src/protocol/**/*.ts', 'src/net/ip.ts'], {
    paths: ['commander', ...screens, ...sockets, 'node:fs', 'node:child_process', 'node:http', 'node:stream'],
    patterns: ['**/commands/**', ...siblings('net', ...middle.filter((name) => name !== 'protocol'))],
  }),
  layer(['src/report/**/*.ts'], { paths: ['commander', ...sockets], patterns: ['**/commands/**'] }),
  layer(['commands/**/*.ts'], { paths: [...screens, ...sockets] }),
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
