// The command line in two files, each read when a module of it is wanted. esbuild splits ES modules only, which start
// slower than CommonJS; so each part is a bundle of its own, and a module of another part is asked for by its number.
import { relative } from 'node:path';
import { build } from 'esbuild';

/** A module belongs to the first part one of whose roots imports it, directly or not; `import()` does not count. */
const parts = [
  // What `tnet`, its help and `tnet isip` need.
  { file: 'cli.cjs', roots: ['commands/main.ts', 'commands/isip/isip.ts'] },
  // The other commands.
  { file: 'more.cjs', roots: [] },
];
const [{ roots }] = parts;

export const partFiles = parts.map(({ file }) => file);

/**
 * @param options esbuild's, for every part
 * @returns the inputs of all
 */
export async function buildParts({ absWorkingDir, outdir, ...options }) {
  const common = { absWorkingDir, bundle: true, platform: 'node', format: 'cjs', ...options };
  const { metafile } = await build({ ...common, entryPoints: [roots[0]], write: false, metafile: true });
  const modules = Object.keys(metafile.inputs).filter((input) => !input.startsWith('<'));
  const partOf = assignParts(metafile, modules);
  const had = new Set();
  for (const part of parts) {
    // Getters: a module is run when it is first wanted.
    const given = findWanted(metafile, partOf, part).map(
      (module) => `get ${modules.indexOf(module)}() { return require('./${module}') }`,
    );
    const main = part === parts[0] ? `exports.main = () => require('./${roots[0]}').main();` : '';
    const bundle = await build({
      ...common,
      stdin: { contents: `exports.parts = { ${given.join(', ')} }; ${main}`, resolveDir: absWorkingDir },
      outfile: `${outdir}/${part.file}`,
      metafile: true,
      plugins: [...options.plugins, askOthers({ absWorkingDir, part, partOf, modules })],
    });
    for (const module of Object.keys(bundle.metafile.inputs)) {
      // Two of a module would have two states, and two classes for one error.
      if (had.has(module)) throw new Error(`${module} is in two parts`);
      if (partOf.has(module)) had.add(module);
    }
  }
  return modules;
}

function assignParts({ inputs }, modules) {
  const partOf = new Map();
  for (const part of parts) {
    const found = new Set(part.roots);
    for (const module of found) {
      if (!partOf.has(module)) partOf.set(module, part);
      for (const { path, kind, external } of inputs[module].imports) {
        if (!external && kind !== 'dynamic-import' && !partOf.has(path)) found.add(path);
      }
    }
  }
  for (const module of modules) if (!partOf.has(module)) partOf.set(module, parts.at(-1));
  return partOf;
}

/** The modules of a part that another part imports. */
function findWanted({ inputs }, partOf, part) {
  const wanted = new Set();
  for (const [input, { imports }] of Object.entries(inputs)) {
    for (const { path, external } of imports) {
      if (!external && partOf.get(path) === part && partOf.get(input) !== part) wanted.add(path);
    }
  }
  return [...wanted];
}

const askOthers = ({ absWorkingDir, part, partOf, modules }) => ({
  name: 'other-parts',
  setup({ onResolve, onLoad, resolve }) {
    onResolve({ filter: /.*/, namespace: 'file' }, async ({ path, pluginData, ...rest }) => {
      if (pluginData === 'resolved') return undefined;
      const result = await resolve(path, { ...rest, pluginData: 'resolved' });
      if (result.external) return result;
      const module = relative(absWorkingDir, result.path).replaceAll('\\', '/');
      return (partOf.get(module) ?? part) === part ? result : { path: module, namespace: 'other-part' };
    });
    onResolve({ filter: /.*/, namespace: 'other-part' }, ({ path }) => ({ path, external: true }));
    onLoad({ filter: /.*/, namespace: 'other-part' }, ({ path }) => ({
      contents: `module.exports = require('./${partOf.get(path).file}').parts[${modules.indexOf(path)}]`,
    }));
  },
});
