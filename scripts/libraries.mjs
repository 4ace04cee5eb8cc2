// Bundles the libraries that the command line uses into dist/lib/NAME.cjs, one file each, so that the package installs
// without a network and each is read only when it is needed. Their licences go to dist/THIRD-PARTY-LICENSES.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What each file gives. Node finds the names of a CommonJS module only where they are written out. */
const libraries = {
  bcryptjs: "module.exports = require('bcryptjs')",
  chalk: "export { default, Chalk, chalkStderr } from 'chalk'",
  ora: "module.exports = require('ora').default",
  'prom-client': "export { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client'",
  // Its frames and their compression; the servers and clients of the package are not used.
  ws: `module.exports = { ${[
    ['Receiver', 'receiver'],
    ['Sender', 'sender'],
    ['PerMessageDeflate', 'permessage-deflate'],
    ['extension', 'extension'],
  ]
    .map(([name, file]) => `${name}: require('./node_modules/ws/lib/${file}.js')`)
    .join(', ')} }`,
};

/** What the libraries bring and tnet never reaches. */
const unused = {
  name: 'unused',
  setup({ onResolve, onLoad }) {
    // prom-client asks it for the current span, for exemplars alone.
    onResolve({ filter: /^@opentelemetry\/api$/ }, ({ path }) => ({ path, namespace: 'unused' }));
    onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'module.exports = {}' }));
    // ws does without them, and would take them from wherever they are installed.
    onResolve({ filter: /^(?:bufferutil|utf-8-validate)$/ }, ({ path }) => ({ path, namespace: 'absent' }));
    onLoad({ filter: /.*/, namespace: 'absent' }, () => ({ contents: "throw new Error('it is not there')" }));
    // ora colours by the chalk that tnet has.
    onResolve({ filter: /^chalk$/ }, ({ importer }) =>
      /[\\/]ora[\\/]/.test(importer) ? { path: 'chalk', namespace: 'shared' } : undefined,
    );
    onResolve({ filter: /^\.\/chalk\.cjs$/ }, ({ path }) => ({ path, external: true }));
    onLoad({ filter: /.*/, namespace: 'shared' }, () => ({
      contents: "module.exports = require('./chalk.cjs').default",
    }));
    // ora has two spinners of its own choice, and cli-spinners ninety.
    onLoad({ filter: /cli-spinners.spinners\.json$/ }, ({ path }) => {
      const { dots, line } = JSON.parse(readFileSync(path, 'utf8'));
      return { contents: JSON.stringify({ dots, line }), loader: 'json' };
    });
  },
};

/** For the bundle of the command line: a library is a file of its own beside it. */
export const separateLibraries = {
  name: 'separate-libraries',
  setup({ onResolve }) {
    const filter = new RegExp(`^(?:${Object.keys(libraries).join('|')})$`);
    onResolve({ filter }, ({ path }) => ({ path: `./lib/${path}.cjs`, external: true }));
  },
};

/** @param commandLine the inputs of the command line's own bundle, whose libraries need their licences too. */
export async function buildLibraries(commandLine) {
  mkdirSync(`${root}dist/lib`, { recursive: true });
  writeFileSync(`${root}dist/lib/package.json`, '{ "type": "commonjs" }\n');
  const inputs = new Set(commandLine);
  for (const [name, contents] of Object.entries(libraries)) {
    const { metafile } = await build({
      stdin: { contents, resolveDir: root },
      outfile: `${root}dist/lib/${name}.cjs`,
      absWorkingDir: root,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      target: 'node24',
      minify: true,
      legalComments: 'none',
      metafile: true,
      plugins: [unused],
      logLevel: 'warning',
    });
    for (const input of Object.keys(metafile.inputs)) inputs.add(input);
  }
  writeFileSync(`${root}dist/THIRD-PARTY-LICENSES`, describeLicences(inputs));
}

function describeLicences(inputs) {
  const folders = [...inputs].flatMap(
    (input) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1] ?? [],
  );
  const texts = new Map();
  const versions = new Map();
  for (const folder of new Set(folders)) {
    const { name, version, license } = JSON.parse(readFileSync(`${root}${folder}/package.json`, 'utf8'));
    const file = readdirSync(root + folder).find((one) => /^licen[cs]e/i.test(one));
    if (file === undefined) throw new Error(`${name} has no licence text`);
    const text = readFileSync(`${root}${folder}/${file}`, 'utf8').replaceAll('\r', '').trim();
    if (versions.has(name))
      throw new Error(`${name} ${version} is here twice, also as ${versions.get(name)}`);
    versions.set(name, version);
    texts.set(text, [...(texts.get(text) ?? []), `${name} ${version} (${license})`]);
  }
  const parts = [...texts].map(([text, names]) => `${names.sort().join(', ')}\n\n${text}\n`);
  return `tnet contains these libraries:\n\n${parts.sort().join(`\n${'-'.repeat(78)}\n\n`)}`;
}
