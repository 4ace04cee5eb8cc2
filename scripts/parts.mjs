// The command line in a few files, each read when a module of it is wanted. esbuild splits ES modules only, which start
// slower than CommonJS; so each part is a bundle of its own, and a module of another part is asked for by its number.
//
// The modules of a part with roots are all run when it is read: nothing of it is wrapped, exported or called to make the
// modules of it known to each other, which costs a start more than the code itself. Those of the last part are run one by
// one, each when it is first wanted.
import { relative } from 'node:path';
import { build } from 'esbuild';

/**
 * A module belongs to the part one of whose roots imports it, directly or not; `import()` does not count. What several
 * of them import is the first one's.
 */
const parts = [
  // What each start needs, and isip, whose start is all that there is to it.
  { file: 'cli.cjs', roots: ['commands/main.ts', 'commands/isip/isip.ts'] },
  { file: 'connect.cjs', roots: ['src/address/service-names.ts', 'commands/connect/connect.ts'] },
  // commander: help, completion, and command lines that are wrong or unusual.
  { file: 'program.cjs', roots: ['commands/program.ts'] },
  // The other commands, and what a command does only now and then.
  { file: 'more.cjs', roots: [] },
];
const [{ roots }] = parts;

export const partFiles = parts.map(({ file }) => file);

/** What require() finds again costs it some 30 microseconds each time, and a part asks hundreds of times. */
const askOnce = 'const asked = {}, ask = (name) => (asked[name] ??= require(name));';

/**
 * @param options esbuild's, for every part
 * @returns the inputs of all
 */
export async function buildParts({ absWorkingDir, outdir, ...options }) {
  const common = { absWorkingDir, bundle: true, platform: 'node', format: 'cjs', ...options };
  const { metafile } = await build({ ...common, entryPoints: [roots[0]], write: false, metafile: true });
  // What is injected has no state: each part has its own.
  const injected = new Set((options.inject ?? []).map((file) => relative(absWorkingDir, file)));
  const modules = Object.keys(metafile.inputs).filter(
    (input) => !input.startsWith('<') && !injected.has(input),
  );
  const partOf = assignParts(metafile, new Set(modules));
  const names = await findExports(common, modules);
  const had = new Set();
  await Promise.all(
    parts.map(async (part) => {
      const wanted = findWanted(metafile, partOf, part).map((module) => ({
        module,
        number: modules.indexOf(module),
        names: names.get(module),
      }));
      const bundle = await build({
        ...common,
        stdin: {
          contents: part.roots.length > 0 ? giveRun(part, wanted) : giveLazily(wanted),
          resolveDir: absWorkingDir,
        },
        outfile: `${outdir}/${part.file}`,
        banner: { js: askOnce },
        metafile: true,
        plugins: [...options.plugins, askOthers({ absWorkingDir, part, partOf, modules, names })],
      });
      for (const module of Object.keys(bundle.metafile.inputs)) {
        // Two of a module would have two states, and two classes for one error.
        if (had.has(module)) throw new Error(`${module} is in two parts`);
        if (partOf.has(module)) had.add(module);
      }
    }),
  );
  return modules;
}

function assignParts({ inputs }, modules) {
  const partOf = new Map();
  for (const part of parts) {
    const found = new Set(part.roots);
    for (const module of found) {
      partOf.set(module, partOf.has(module) ? parts[0] : part);
      for (const { path, kind, external } of inputs[module].imports) {
        if (!external && kind !== 'dynamic-import' && modules.has(path)) found.add(path);
      }
    }
  }
  for (const module of modules) if (!partOf.has(module)) partOf.set(module, parts.at(-1));
  return partOf;
}

/** What each ES module exports; the CommonJS ones of a library are not among them. */
async function findExports({ absWorkingDir }, modules) {
  const sources = modules.filter((module) => module.endsWith('.ts'));
  const { metafile } = await build({
    absWorkingDir,
    entryPoints: sources,
    outdir: 'x',
    write: false,
    metafile: true,
  });
  return new Map(Object.values(metafile.outputs).map((output) => [output.entryPoint, output.exports]));
}

/** The modules of a part that another part imports, or that are imported by `import()`. */
function findWanted({ inputs }, partOf, part) {
  const wanted = new Set();
  for (const [input, { imports }] of Object.entries(inputs)) {
    for (const { path, kind, external } of imports) {
      if (external || partOf.get(path) !== part) continue;
      if (partOf.get(input) !== part || (kind === 'dynamic-import' && part.roots.length > 0))
        wanted.add(path);
    }
  }
  return [...wanted];
}

/** The entry of a part whose modules have been run. What a module exports is gathered when another part asks for it. */
function giveRun(part, wanted) {
  const lines = wanted.map(({ module, number, names }) => {
    if (!names) return { first: '', then: `get ${number}() { return require('./${module}') }` };
    const [imports, fields] = [' as ', ': '].map((as) =>
      names.map((name) => `${name}${as}m${number}_${name}`),
    );
    return {
      first: `import { ${imports.join(', ')} } from './${module}';`,
      then: `get ${number}() { return { ${fields.join(', ')} } }`,
    };
  });
  return [
    ...part.roots.map((root) => `import './${root}';`),
    ...lines.map(({ first }) => first),
    `export const parts = { ${lines.map(({ then }) => then).join(', ')} };`,
    ...(part === parts[0] ? [`export { main } from './${roots[0]}';`] : []),
  ].join('\n');
}

function giveLazily(wanted) {
  const getters = wanted.map(({ module, number }) => `get ${number}() { return require('./${module}') }`);
  return `exports.parts = { ${getters.join(', ')} };`;
}

const askOthers = ({ absWorkingDir, part, partOf, modules, names }) => ({
  name: 'other-parts',
  setup({ onResolve, onLoad, resolve }) {
    onResolve({ filter: /.*/, namespace: 'file' }, async ({ path, pluginData, ...rest }) => {
      if (pluginData === 'resolved') return undefined;
      const result = await resolve(path, { ...rest, pluginData: 'resolved' });
      if (result.external) return result;
      const module = relative(absWorkingDir, result.path).replaceAll('\\', '/');
      // An `import()` within a part would have all that the module imports wrapped.
      const isOwn = rest.kind !== 'dynamic-import' || part.roots.length === 0;
      return isOwn && (partOf.get(module) ?? part) === part
        ? result
        : { path: module, namespace: 'other-part' };
    });
    onResolve({ filter: /.*/, namespace: 'other-part' }, ({ path }) => ({ path, external: true }));
    onLoad({ filter: /.*/, namespace: 'other-part' }, ({ path }) => {
      const from = `ask('./${partOf.get(path).file}').parts[${modules.indexOf(path)}]`;
      const exported = names.get(path);
      return {
        contents: exported
          ? `export const { ${exported.join(', ')} } = ${from};`
          : `module.exports = ${from};`,
      };
    });
  },
});
