import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import ts from 'typescript';

const root = new URL('../../', import.meta.url);
const path = (name: string) => fileURLToPath(new URL(name, root));
const examples = [...readFileSync(path('docs/api.md'), 'utf8').matchAll(/```ts\n(.*?)```/gs)].map(
  ([, code = '']) => code,
);

/** What a program of the package's users may rely on in types alone. */
const promises = `
import nodeNet from 'node:net';
import net, { createServer, Socket } from 'tnet';
const socket: nodeNet.Socket = new Socket();
const server: nodeNet.Server = createServer();
const named: net.Socket = new net.Socket({ type: 'tcp4' });
class Own extends net.Socket {}
export { named, Own, server, socket };
`;

function diagnose(sources: readonly string[]): string[] {
  const folder = path('test/net/.examples/');
  mkdirSync(folder, { recursive: true });
  try {
    const files = sources.map((source, index) => {
      const file = `${folder}${index}.ts`;
      writeFileSync(file, source.includes('export ') ? source : `${source}\nexport {};\n`);
      return file;
    });
    const { config } = ts.readConfigFile(path('tsconfig.json'), (name) => ts.sys.readFile(name)) as {
      config: { compilerOptions: object };
    };
    const { options } = ts.convertCompilerOptionsFromJson(
      { ...config.compilerOptions, noEmit: true, paths: { tnet: [path('src/net/index.ts')] } },
      path('.'),
    );
    const program = ts.createProgram(files, { ...options, noUnusedLocals: false });
    return ts
      .getPreEmitDiagnostics(program)
      .map(
        ({ file, messageText }) =>
          `${file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`,
      );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('every example of docs/api.md compiles, and sockets and servers fit where node:net’s are wanted', (t) => {
  t.true(examples.length >= 8);
  t.deepEqual(diagnose([...examples, promises]), []);
  const [wrong] = diagnose(["import { connect } from 'tnet';\nconnect({});\n"]);
  t.regex(wrong ?? '', /No overload|not assignable/);
});
