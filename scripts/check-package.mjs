// Checks what npm would publish, after npm run build: npm run check:package
//
// The tarball is small, installs without a network into an empty folder and works there; its types serve ES modules
// and CommonJS; publint and "are the types wrong" find nothing; package.json names no dependency that nobody uses.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { smoke } from './smoke.mjs';

/** Unpacked, without the prebuilt engines. What is in it: docs/package.md. */
const maxBytes = 1_850_000;

const root = fileURLToPath(new URL('..', import.meta.url));
const packageJson = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'tnet-package-'));
const run = (program, args, cwd = root) =>
  execFileSync(program, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], shell: false });

try {
  const tarball = checkSize();
  await checkInstalled(tarball);
  checkTypes(tarball);
  run('npx', ['--no', 'publint', '--strict', root]);
  run('npx', ['--no', 'attw', tarball, '--exclude-entrypoints', 'proxy']);
  // The resolution of Node 10 knows no entry but the main one, and TypeScript 6 deprecates it.
  run('npx', ['--no', 'attw', tarball, '--profile', 'node16']);
  console.log('publint and attw: no complaint');
  checkDependencies();
} finally {
  rmSync(folder, { recursive: true });
}

function checkSize() {
  run('npm', ['run', '-s', 'prepack']);
  const [packed] = JSON.parse(
    run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]),
  );
  run('npm', ['run', '-s', 'postpack']);
  const files = packed.files.filter(({ path }) => !path.startsWith('prebuilds/'));
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  assert.ok(bytes <= maxBytes, `${bytes} bytes unpacked, more than ${maxBytes}`);
  for (const page of readdirSync(`${root}man`)) assert.ok(packageJson.man.includes(`./man/${page}`), page);
  console.log(`package: ${packed.size} bytes packed, ${bytes} unpacked in ${files.length} files`);
  return join(folder, packed.filename);
}

/** As a person does who has the file and no network: npm install -g ./tnet-*.tgz. */
async function checkInstalled(tarball) {
  const prefix = join(folder, 'prefix');
  const args = ['install', '-g', '--offline', '--prefix', prefix, '--cache', join(folder, 'cache'), tarball];
  run('npm', args, folder);
  const env = { PATH: process.env.PATH, HOME: folder };
  const addon = `lib/node_modules/tnet/prebuilds/${process.platform}-${process.arch}/tnet.node`;
  await smoke(join(prefix, 'bin/tnet'), env, existsSync(join(prefix, addon)) ? /native/ : /./);
  const pages = join(prefix, 'share/man');
  for (const page of packageJson.man)
    assert.ok(existsSync(join(pages, 'man1', page.slice('./man/'.length))), page);
  if (hasProgram('man')) {
    const text = execFileSync('man', ['tnet-connect'], { env: { ...env, MANPATH: pages }, encoding: 'utf8' });
    assert.match(text, /connect to a server/);
  }
  console.log('installed without a network: works, with its man pages');
}

/** One consumer of each kind: tsc accepts it, and it runs. */
function checkTypes(tarball) {
  const consumers = {
    'module.mts':
      "import net, { createServer, type Socket, isIP } from 'tnet';\nimport { createProxy } from 'tnet/proxy';",
    'common.cts':
      "import net = require('tnet');\nconst { createServer, isIP } = net;\ntype Socket = InstanceType<typeof net.Socket>;\nimport proxy = require('tnet/proxy');\nconst { createProxy } = proxy;",
  };
  const use = `
const server = createServer((socket: Socket) => socket.end('hello'));
server.listen(0, '127.0.0.1', async () => {
  const { port } = server.address() as { port: number };
  const relay = await createProxy({ listen: '127.0.0.1:0', targets: ['127.0.0.1:' + port], latency: '5ms' });
  const client = net.connect(Number(relay.addresses[0]?.split(':')[1]), '127.0.0.1');
  client.on('data', (data: Buffer) => {
    if (data.toString() !== 'hello' || isIP('::1') !== 6) throw new Error('wrong');
    client.destroy();
    void relay.close({ drainMs: 5_000 });
    server.close();
  });
});
`;
  const project = join(folder, 'consumer');
  mkdirSync(project);
  writeFileSync(join(project, 'package.json'), '{ "private": true }');
  run('npm', ['install', '--offline', '--cache', join(folder, 'cache'), tarball], project);
  for (const [name, head] of Object.entries(consumers)) writeFileSync(join(project, name), `${head}\n${use}`);
  const compilerOptions = {
    module: 'nodenext',
    strict: true,
    skipLibCheck: false,
    target: 'es2024',
    types: ['node'],
    typeRoots: [`${root}node_modules/@types`],
  };
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: Object.keys(consumers) }),
  );
  run(process.execPath, [`${root}node_modules/typescript/bin/tsc`, '-p', project], project);
  for (const file of ['module.mjs', 'common.cjs']) run(process.execPath, [file], project);
  console.log('types and code: an ES module and a CommonJS program compile and run');
}

/** Each package of package.json is named in a source, a script, a test or a configuration. */
function checkDependencies() {
  const folders = ['src', 'commands', 'test', 'bench', 'scripts', 'examples', '.ci'];
  const files = folders.flatMap((name) => (existsSync(root + name) ? list(root + name) : []));
  const configurations = ['eslint.config.mjs', 'tsconfig.json', 'tsconfig.check.json'].map(
    (name) => root + name,
  );
  const text = [...files, ...configurations].map((file) => readFileSync(file, 'utf8')).join('\n');
  const scripts = Object.values(packageJson.scripts).join('\n');
  const { dependencies = {}, devDependencies } = packageJson;
  assert.deepEqual(Object.keys(dependencies), [], 'what the package needs is inside it');
  for (const name of Object.keys(devDependencies)) {
    const subject = name.startsWith('@types/') ? `@types/${name.slice(7)}|${name.slice(7)}` : name;
    const isNamed = subject.split('|').some((one) => new RegExp(`['"\`/ ]${one}(?:['"/]|$)`, 'm').test(text));
    const { bin = {} } = JSON.parse(readFileSync(`${root}node_modules/${name}/package.json`, 'utf8'));
    const programs = typeof bin === 'string' ? [name] : Object.keys(bin);
    const isRun = programs.some((one) => new RegExp(`\\b${one}\\b`).test(scripts + text));
    assert.ok(isNamed || isRun, `${name} is used by nothing`);
  }
  console.log(`${Object.keys(devDependencies).length} dependencies: all are used`);
}

function list(path) {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(?:[cm]?[jt]s|sh)$|^run$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

function hasProgram(name) {
  return process.env.PATH.split(':').some((path) => existsSync(join(path, name)));
}
