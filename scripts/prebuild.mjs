// Makes the addons that are shipped: node scripts/prebuild.mjs → prebuilds/linux-x64/tnet.node, linux-arm64/tnet.node.
// Needs Debian's gcc and gcc-aarch64-linux-gnu (on arm64, gcc-x86-64-linux-gnu). Looks at each: its machine, that it
// asks for no newer glibc than the oldest that Node 24 runs on, and that the one for this machine can be loaded.
// With --where-possible, as npm pack calls it, a machine without a compiler gets no addon, and that is said. npm pack
// removes them when it is done: an addon in prebuilds/ is found before the one that is built.
import { execFileSync } from 'node:child_process';
import { buildNative } from './build-native.mjs';

/** As readelf names them. */
const machines = { 'linux-x64': 'X86-64', 'linux-arm64': 'AArch64' };

/** Source: Node's BUILDING.md, "Platform list": glibc >= 2.28. */
const oldestGlibc = 28;

function check(target, file) {
  const header = execFileSync('readelf', ['-hW', file], { encoding: 'utf8' });
  if (!header.includes(machines[target])) throw new Error(`${file} is not for ${target}`);
  const versions = execFileSync('readelf', ['-VW', file], { encoding: 'utf8' });
  const minors = [...versions.matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor));
  if (Math.max(0, ...minors) > oldestGlibc) {
    throw new Error(`${file} needs glibc 2.${Math.max(...minors)}, and Node runs on 2.${oldestGlibc}`);
  }
  if (target === `${process.platform}-${process.arch}`) process.dlopen({ exports: {} }, file);
}

const isWherePossible = process.argv.includes('--where-possible');

for (const target of Object.keys(machines)) {
  try {
    const file = buildNative({ target, strict: true });
    if (!file) throw new Error(`there is no compiler for ${target}`);
    check(target, file);
    process.stderr.write(`${file}\n`);
  } catch (error) {
    if (!isWherePossible) throw error;
    const [reason] = error.message.split('\n').filter((line) => /error|compiler/.test(line));
    process.stderr.write(`no native engine for ${target} in the package: ${reason ?? error.message}\n`);
  }
}
