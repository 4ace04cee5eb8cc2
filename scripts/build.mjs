// Builds dist/: types by tsc, the native engine where there is a compiler, and by esbuild the library, the command line
// as two CommonJS files, and the libraries that it uses as a file each.
// Two because start-up is what users feel: reading forty modules costs more than node itself, and CommonJS
// starts 10 ms sooner than the same code as an ES module. Each command inside them is still only run when it is called.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { buildNative } from './build-native.mjs';
import { writeCommonTypes } from './common-types.mjs';
import { buildLibraries, separateLibraries } from './libraries.mjs';
import { embedPage } from './embed-page.mjs';
import { buildParts, partFiles } from './parts.mjs';

const root = new URL('..', import.meta.url);
const path = (name) => fileURLToPath(new URL(name, root));

const { version } = JSON.parse(readFileSync(path('package.json'), 'utf8'));

rmSync(path('dist'), { recursive: true, force: true });
execFileSync(process.execPath, [path('node_modules/typescript/bin/tsc'), '-p', path('tsconfig.json')], {
  stdio: 'inherit',
});

buildNative();

const inputs = await buildParts({
  absWorkingDir: path('.'),
  outdir: path('dist'),
  target: 'node24',
  // import() of a file beside it is require(): Node's loader of ES modules takes 10 ms to set up.
  supported: { 'dynamic-import': false },
  // Three fifths of the bytes, and a little less to read at each start.
  minify: true,
  legalComments: 'none',
  // An error that nobody foresaw shows its source line.
  lineLimit: 120,
  // Commander loads child_process for executable subcommands, which tnet has none of; it costs 3 ms.
  alias: { 'node:child_process': path('scripts/lazy-child-process.cjs') },
  define: {
    tnetVersion: JSON.stringify(version),
    'import.meta.dirname': '__dirname',
    // Node loads seven modules for the first use of its own.
    'performance.now': 'monotonicMs',
  },
  inject: [path('scripts/monotonic.mjs')],
  plugins: [separateLibraries, embedPage],
  logLevel: 'warning',
});

// esbuild leaves regular expressions as they are written, and one letter beyond ASCII makes all of the text twice as long
// in memory and slower to read: 4 ms of each start.
// The last line is a hash of the text, for the cache of compiled code: see bin/tnet.js.
const escape = (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`;
for (const file of partFiles.map((name) => path(`dist/${name}`))) {
  const letters = readFileSync(file, 'utf8').replace(/[^\0-\x7f]/g, escape);
  const text = letters.replaceAll(/\brequire\("node:/g, 'ask("node:');
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16);
  writeFileSync(file, `${text}//${hash}\n`);
}

await buildLibraries(inputs);

// Help is the same each time: it is laid out here once, for where stdout is no terminal with a width of its own.
mkdirSync(path('dist/help'), { recursive: true });
for (const name of ['', 'connect', 'listen', 'echo', 'proxy', 'isip', 'completion']) {
  const args = [path('bin/tnet.js'), ...(name === '' ? [] : [name]), '--help'];
  writeFileSync(path(`dist/help/${name || 'tnet'}.txt`), execFileSync(process.execPath, args));
}

// The library, for people who read what runs: its names are kept.
await build({
  entryPoints: [path('src/net/index.ts')],
  outfile: path('dist/index.js'),
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  minifySyntax: true,
  minifyWhitespace: true,
  lineLimit: 120,
  logLevel: 'warning',
});

// The proxy as a library: what the command line has of it, once more, for a program loads neither that nor its options.
await build({
  entryPoints: [path('commands/proxy/library.ts')],
  outfile: path('dist/proxy.js'),
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  minify: true,
  lineLimit: 120,
  define: { 'import.meta.dirname': '__dirname' },
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url), __dirname = import.meta.dirname;",
  },
  plugins: [separateLibraries],
  logLevel: 'warning',
});
writeFileSync(path('dist/proxy.cjs'), "'use strict';\nmodule.exports = require('./proxy.js');\n");
writeCommonTypes(
  path('dist/commands/proxy/library.d.ts'),
  './commands/proxy/library.js',
  path('dist/proxy.d.cts'),
);

// require('tnet') is the same module instance as import 'tnet'.
writeFileSync(path('dist/index.cjs'), "'use strict';\nmodule.exports = require('./index.js').default;\n");
writeCommonTypes(path('dist/src/net/index.d.ts'), './src/net/index.js', path('dist/index.d.cts'));
