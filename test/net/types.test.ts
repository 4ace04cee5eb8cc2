import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import plain from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import ts from 'typescript';
import tnet from '../../src/net/index.ts';

/** These look at the types in dist/, as the package's users do: npm run build first. */
const root = fileURLToPath(new URL('../../', import.meta.url));

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2024,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  types: ['node'],
  strict: true,
  noEmit: true,
  // What is ours is checked by `npm run check:package` too, and the rest would take most of the time.
  skipLibCheck: true,
};

/** How each kind of program gets at the module: by one object, and by names. */
const heads: Readonly<Record<string, string>> = {
  mts: "import net from 'tnet';\nimport * as names from 'tnet';\n",
  cts: "import net = require('tnet');\nimport * as names from 'tnet';\n",
};

/** Lines that name every name of node:net's types: as a type, as a value, or as both. */
function useNames(): string[] {
  const file = join(root, 'node_modules/@types/node/net.d.ts');
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2024);
  const module = source.statements.find(
    (one): one is ts.ModuleDeclaration => ts.isModuleDeclaration(one) && one.name.text === 'net',
  );
  const { statements } = module!.body as ts.ModuleBlock;
  return statements.flatMap((one) => {
    const { name } = one as { name?: ts.Identifier };
    if (!name) return [];
    const type = `export type Of${name.text} = [net.${name.text}, names.${name.text}];`;
    const value = `export const a${name.text} = [net.${name.text}, names.${name.text}];`;
    if (ts.isClassDeclaration(one)) return [type, value];
    return ts.isFunctionDeclaration(one) ? [value] : [type];
  });
}

// Functions are declared once for each way to call them.
const nameLines = [...new Set(useNames())];

const programs: Readonly<Record<string, string>> = {
  names: nameLines.join('\n'),
  whole: `
export const whole: typeof import('node:net') = net;
export const named: typeof import('node:net') = names;
`,
  uses: `
import { BlockList, SocketAddress, connect, type Server } from 'tnet';
export const list: BlockList = new BlockList();
export const other: net.BlockList = new net.BlockList();
export const address: net.SocketAddress = new SocketAddress({ address: '::1', family: 'ipv6' });
connect(1, undefined, () => undefined);
new net.Socket().connect(1, undefined, () => undefined);
const server: Server = net.createServer();
server.on('mine', (x) => x.toUpperCase());
server.once(Symbol('mine'), (x, y) => x + y);
server.on('connection', (socket) => socket.setSecure());
server.on('drop', (data) => data?.remotePort?.toFixed());
server.on('exhausted', (error) => error.message);
server.on('error', (error) => error.message);
server.connections = 0;
class Own extends net.Server {}
new Own().listen({ port: 0, anyAddress: 'ipv4' });
export const target: net.NetConnectOpts = {
  port: 1,
  lookup: (name, options, done) => done(null, name, options.family as number),
};
`,
  wrong: 'net.connect({});\nnet.createServer().on("connection", (socket) => socket.nothing);\n',
};

/** What tsc says of each program, as an ES module and as a CommonJS one, in a project that has the package installed. */
function compile(): Map<string, string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'tnet-types-'));
  try {
    mkdirSync(join(folder, 'node_modules'));
    symlinkSync(root, join(folder, 'node_modules/tnet'));
    symlinkSync(join(root, 'node_modules/@types'), join(folder, 'node_modules/@types'));
    const sources = Object.entries(programs).flatMap(([name, program]) =>
      Object.entries(heads).map(([kind, head]) => [`${name}.${kind}`, head + program] as const),
    );
    for (const [name, source] of sources) writeFileSync(join(folder, name), source);
    const host = ts.createCompilerHost(options);
    host.getCurrentDirectory = () => folder;
    const files = sources.map(([name]) => join(folder, name));
    const program = ts.createProgram(files, options, host);
    return new Map(
      sources.map(([name]) => {
        const found = ts.getPreEmitDiagnostics(program, program.getSourceFile(join(folder, name)));
        return [name, found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))];
      }),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

let compiled: Map<string, string[]> | undefined;

function complaints(name: string): string[][] {
  compiled ??= compile();
  return Object.keys(heads).map((kind) => compiled!.get(`${name}.${kind}`)!);
}

test('every type and value of node:net is there under its name, for ES modules and for CommonJS', (t) => {
  t.true(nameLines.length > 35, String(nameLines.length));
  t.deepEqual(complaints('names'), [[], []]);
});

test('the module can stand where node:net’s is wanted, by its types', (t) => {
  t.deepEqual(complaints('whole'), [[], []]);
});

test('programs of both kinds compile, and wrong ones do not', (t) => {
  t.deepEqual(complaints('uses'), [[], []]);
  for (const found of complaints('wrong')) t.is(found.length, 2, found.join('\n'));
});

test('every key of node:net is there at run time, and of the same kind', (t) => {
  const kinds = (module: object) =>
    Reflect.ownKeys(plain).map((key) => {
      const value: unknown = Reflect.get(module, key);
      const isClass = typeof value === 'function' && value.prototype !== undefined;
      return [key, typeof value, isClass, (Object.getOwnPropertyDescriptor(module, key) ?? {}).enumerable];
    });
  t.deepEqual(kinds(tnet), kinds(plain));
});
