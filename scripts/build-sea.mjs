// Builds dist/tnet: one executable that needs no Node on the machine, for the system that this runs on.
//
//   npm run build:sea            → dist/tnet (after npm run build)
//
// It is the Node that runs this script, with the command line put in: one CommonJS file, the libraries inside it, its
// compiled code beside it, and the native addon as an asset. Source: Node's documentation, "Single executable
// applications".
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { inject } from 'postject';

const root = fileURLToPath(new URL('..', import.meta.url));
const work = `${root}dist/sea`;
const executable = `${root}dist/tnet${process.platform === 'win32' ? '.exe' : ''}`;
const addon = [`prebuilds/${process.platform}-${process.arch}/tnet.node`, 'native/build/tnet.node']
  .map((file) => root + file)
  .find(existsSync);

/** The command line's parts ask for each other by a function of theirs: see parts.mjs. */
const joinParts = {
  name: 'join-parts',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]dist[\\/]\w+\.cjs$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replaceAll(/\bask\((?=\s*["'])/g, 'require('),
    }));
  },
};

mkdirSync(work, { recursive: true });
await build({
  stdin: { contents: "require('./dist/cli.cjs').main()", resolveDir: root },
  outfile: `${work}/tnet.cjs`,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node24',
  minifyWhitespace: true,
  lineLimit: 120,
  plugins: [joinParts],
  logLevel: 'warning',
});
writeFileSync(
  `${work}/config.json`,
  JSON.stringify({
    main: `${work}/tnet.cjs`,
    output: `${work}/tnet.blob`,
    disableExperimentalSEAWarning: true,
    useCodeCache: true,
    assets: { 'bcryptjs.cjs': `${root}dist/lib/bcryptjs.cjs`, ...(addon && { 'tnet.node': addon }) },
  }),
);
execFileSync(process.execPath, ['--experimental-sea-config', `${work}/config.json`], { stdio: 'ignore' });

rmSync(executable, { force: true });
copyFileSync(process.execPath, executable);
chmodSync(executable, 0o755);
// Node's own symbols for debuggers are a fifth of it. The names that addons link to stay.
if (process.platform === 'linux') tryStrip();
await inject(executable, 'NODE_SEA_BLOB', readFileSync(`${work}/tnet.blob`), {
  sentinelFuse: 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2',
  machoSegmentName: 'NODE_SEA',
});
rmSync(work, { recursive: true });
// macOS runs nothing whose signature does not fit, and an own one is enough.
if (process.platform === 'darwin') execFileSync('codesign', ['--sign', '-', '--force', executable]);
const megabytes = (statSync(executable).size / 1e6).toFixed(1);
console.log(`${executable}: ${megabytes} MB, ${addon ? 'with' : 'without'} the native engine`);

function tryStrip() {
  try {
    execFileSync('strip', ['--strip-unneeded', executable], { stdio: 'ignore' });
  } catch {
    console.log('strip is not installed: the executable keeps its symbols');
  }
}
