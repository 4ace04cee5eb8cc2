// Builds the native addon: native/*.c → native/build/tnet.node, or a prebuilt one for another machine.
//
//   node scripts/build-native.mjs                          for this machine
//   node scripts/build-native.mjs --sanitize               native/build/tnet-address.node, with AddressSanitizer and
//                                                          UndefinedBehaviorSanitizer; TNET_NATIVE=PATH uses it
//   node scripts/build-native.mjs --sanitize=thread        native/build/tnet-thread.node, with ThreadSanitizer
//   node scripts/build-native.mjs --delays                 native/build/tnet-delays.node, which waits at random where its
//                                                          threads hand over to each other; with --sanitize too
//   node scripts/build-native.mjs --target linux-arm64     → prebuilds/linux-arm64/tnet.node (linux-x64 likewise)
//
// No node-gyp: a Node-API addon needs two header files and a C compiler. tnet works without the addon, so a machine
// without a compiler, or one that is not Linux, gets a debug line (NODE_DEBUG=tnet) and success.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { debuglog } from 'node:util';

const debug = debuglog('tnet');
const path = (name) => fileURLToPath(new URL(`../${name}`, import.meta.url));
const compilers = { 'linux-x64': 'x86_64-linux-gnu-gcc', 'linux-arm64': 'aarch64-linux-gnu-gcc' };
const here = `${process.platform}-${process.arch}`;

const common =
  '-std=c99 -D_GNU_SOURCE -DNAPI_VERSION=4 -Wall -Wextra -Werror -fPIC -shared -fvisibility=hidden -pthread';
const sanitizers = { address: 'address,undefined', thread: 'thread' };

function flagsFor({ sanitize, delays = false }) {
  const all = [...common.split(' '), ...(delays ? ['-DTNET_DELAYS'] : [])];
  if (!sanitize) return [...all, '-O2', '-Wl,-s'];
  return [
    ...all,
    '-O1',
    '-g',
    '-fno-omit-frame-pointer',
    '-fno-sanitize-recover=undefined',
    `-fsanitize=${sanitizers[sanitize]}`,
  ];
}

/**
 * Compiles the addon. Returns the file it made, or undefined when this machine cannot make it.
 *
 * @param {{
 *   target?: string,
 *   sanitize?: 'address' | 'thread',
 *   delays?: boolean,
 *   output?: string,
 *   strict?: boolean,
 * }} options
 *   `target` is a platform and architecture as prebuilds/ names them; without it, this machine. `strict` throws when
 *   there is a compiler and it fails; without it that is a line on stderr, as a compiler of tomorrow may warn of more.
 */
export function buildNative({ target, sanitize, delays, output, strict = false } = {}) {
  if (!(target ?? here).startsWith('linux-')) {
    debug('native addon: not built, %s has no epoll and splice', target ?? here);
    return undefined;
  }
  const compiler = target && target !== here ? compilers[target] : (process.env.CC ?? 'cc');
  if (!compiler)
    throw new Error(`no compiler is known for ${target}: one of ${Object.keys(compilers).join(', ')}`);
  const built = `native/build/${['tnet', sanitize, delays && 'delays'].filter(Boolean).join('-')}.node`;
  const file = output ?? path(target ? `prebuilds/${target}/tnet.node` : built);
  mkdirSync(new URL('.', pathToFileURL(file)), { recursive: true });
  const sources = readdirSync(path('native')).filter((name) => name.endsWith('.c'));
  // Into a file of its own first: a process that has the old one loaded must not see it change.
  const fresh = `${file}.${process.pid}`;
  const args = [
    ...flagsFor({ sanitize, delays }),
    ...(target ? ['-include', path('native/old-glibc.h')] : []),
    `-I${path('node_modules/node-api-headers/include')}`,
    ...sources.map((name) => path(`native/${name}`)),
    '-o',
    fresh,
  ];
  const { error, status, stderr } = spawnSync(compiler, args, { encoding: 'utf8' });
  if (error) {
    debug('native addon: not built, %s: %s', compiler, error.message);
    return undefined;
  }
  if (status !== 0) {
    // One of an older source must not be taken for this one's.
    rmSync(file, { force: true });
    if (strict) throw new Error(`${compiler} failed:\n${stderr}`);
    process.stderr.write(`native addon: not built, ${compiler} failed; NODE_DEBUG=tnet says why\n`);
    debug('native addon: not built, %s failed: %s', compiler, stderr);
    return undefined;
  }
  renameSync(fresh, file);
  return file;
}

function parseArguments(args) {
  const options = { strict: true };
  for (let i = 0; i < args.length; i++) {
    if (args[i] === '--target') options.target = args[++i];
    else if (args[i] === '--sanitize') options.sanitize = 'address';
    else if (args[i] === '--sanitize=thread') options.sanitize = 'thread';
    else if (args[i] === '--delays') options.delays = true;
    else if (args[i] === '--output') options.output = args[++i];
    else throw new Error(`unknown argument ${args[i]}`);
  }
  return options;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const file = buildNative(parseArguments(process.argv.slice(2)));
  if (file) process.stdout.write(`${file}\n`);
}
