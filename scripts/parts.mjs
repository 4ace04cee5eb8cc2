// The command line in two files: dist/cli.cjs has what `tnet`, its help and `tnet isip` need, dist/more.cjs all the rest
// and is read when a module of it is wanted. esbuild splits ES modules only, which start slower than CommonJS; so each
// part is a bundle of its own, and a module of the other part is asked for by its number.
import { relative } from 'node:path';
import { build } from 'esbuild';

/** Whose static imports are the first part. */
const roots = ['commands/main.ts', 'commands/isip.ts'];
const files = { first: 'cli.cjs', second: 'more.cjs' };

/** @param options esbuild's, for both. Returns the inputs of both. */
export async function buildParts({ absWorkingDir, outdir, ...options }) {
  const common = { absWorkingDir, bundle: true, platform: 'node', format: 'cjs', ...options };
  const { metafile } = await build({ ...common, entryPoints: [roots[0]], write: false, metafile: true });
  const first = followImports(metafile);
  const all = Object.keys(metafile.inputs).filter((input) => !input.startsWith('<'));
  const wanted = { first: [], second: [] };
  for (const [input, { imports }] of Object.entries(metafile.inputs)) {
    for (const { path, external } of imports) {
      if (!external && first.has(path) !== first.has(input))
        wanted[first.has(path) ? 'first' : 'second'].push(path);
    }
  }
  const had = new Set();
  for (const part of ['first', 'second']) {
    const given = [...new Set(wanted[part])].map(
      (module) => `get ${all.indexOf(module)}() { return require('./${module}') }`,
    );
    const main = part === 'first' ? `exports.main = () => require('./${roots[0]}').main();` : '';
    const other = part === 'first' ? files.second : files.first;
    const bundle = await build({
      ...common,
      stdin: { contents: `exports.parts = { ${given.join(', ')} }; ${main}`, resolveDir: absWorkingDir },
      outfile: `${outdir}/${files[part]}`,
      metafile: true,
      plugins: [
        ...options.plugins,
        askOther({ absWorkingDir, other, all, isOwn: (module) => first.has(module) === (part === 'first') }),
      ],
    });
    for (const module of Object.keys(bundle.metafile.inputs)) {
      // Two of a module would have two states, and two classes for one error.
      if (had.has(module) && all.includes(module) && !isStateless(module))
        throw new Error(`${module} is in both parts`);
      had.add(module);
    }
  }
  return Object.keys(metafile.inputs);
}

const isStateless = (module) => module === 'scripts/lazy-child-process.cjs';

/** The modules that are run when the roots are. */
function followImports({ inputs }) {
  const found = new Set(roots);
  for (const module of found) {
    for (const { path, kind, external } of inputs[module].imports) {
      if (!external && kind !== 'dynamic-import') found.add(path);
    }
  }
  return found;
}

const askOther = ({ absWorkingDir, other, all, isOwn }) => ({
  name: 'other-part',
  setup({ onResolve, onLoad, resolve }) {
    onResolve({ filter: /.*/, namespace: 'file' }, async ({ path, pluginData, ...rest }) => {
      if (pluginData === 'resolved' || path.startsWith('node:')) return undefined;
      const result = await resolve(path, { ...rest, pluginData: 'resolved' });
      if (result.external) return result;
      const module = relative(absWorkingDir, result.path).replaceAll('\\', '/');
      return !all.includes(module) || isOwn(module) ? result : { path: module, namespace: 'other-part' };
    });
    onResolve({ filter: /.*/, namespace: 'other-part' }, ({ path }) => ({ path, external: true }));
    onLoad({ filter: /.*/, namespace: 'other-part' }, ({ path }) => ({
      contents: `module.exports = require('./${other}').parts[${all.indexOf(path)}]`,
    }));
  },
});
