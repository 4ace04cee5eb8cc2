// Builds dist/: the library and its types by tsc, the native engine where there is a compiler, and the command line as
// one CommonJS file by esbuild.
// One file because start-up is what users feel: reading forty modules costs more than node itself, and CommonJS
// starts 10 ms sooner than the same code as an ES module (bench/README.md). Each command inside it is still only
// run when it is called.
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { buildNative } from './build-native.mjs';

const root = new URL('..', import.meta.url);
const path = (name) => fileURLToPath(new URL(name, root));

const { version } = JSON.parse(readFileSync(path('package.json'), 'utf8'));

rmSync(path('dist'), { recursive: true, force: true });
execFileSync(process.execPath, [path('node_modules/typescript/bin/tsc'), '-p', path('tsconfig.json')], {
  stdio: 'inherit',
});

buildNative();

await build({
  entryPoints: [path('commands/main.ts')],
  outfile: path('dist/cli.cjs'),
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node24',
  minifySyntax: true,
  // Commander loads child_process for executable subcommands, which tnet has none of; it costs 3 ms.
  alias: { 'node:child_process': path('scripts/lazy-child-process.cjs') },
  define: { tnetVersion: JSON.stringify(version), 'import.meta.dirname': '__dirname' },
  external: ['chalk', 'ora', 'node-forge'],
  logLevel: 'warning',
});

// require('tnet') is the same module instance as import 'tnet'.
writeFileSync(
  path('dist/index.cjs'),
  "'use strict';\nmodule.exports = require('./src/net/index.js').default;\n",
);
writeFileSync(
  path('dist/index.d.cts'),
  "import net = require('./src/net/index.js');\nexport = net.default;\n",
);
