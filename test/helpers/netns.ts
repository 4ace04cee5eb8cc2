import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { findProgram } from './programs.ts';

/** A network namespace of this test alone, with a loopback and whatever `setup` adds. Removed when the test is over. */
export interface NetworkNamespace {
  /** The words to put before a command line, so that it runs inside. */
  readonly inside: readonly string[];
  /** The file that is its /etc/hosts. */
  readonly hosts: string;
}

/** `test.serial` where network namespaces can be made; else a skip, with the reason printed. */
export function testInNamespace(): typeof test.serial | typeof test.serial.skip {
  const reason = whyNone();
  if (reason === undefined) return test.serial;
  console.log(`skipped: ${reason}`);
  return test.serial.skip;
}

function whyNone(): string | undefined {
  if (findProgram('ip') === undefined) return 'ip is not installed';
  const name = `tnet-probe-${process.pid}`;
  try {
    execFileSync('ip', ['netns', 'add', name], { stdio: 'ignore' });
    execFileSync('ip', ['netns', 'delete', name], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'network namespaces need root';
  }
}

/** The set-up for a namespace in which 10.9.9.2 takes every packet and never answers: the far end of a cable. */
export const silentAddress: readonly (readonly string[])[] = [
  ['link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1'],
  ['address', 'add', '10.9.9.1/24', 'dev', 'v0'],
  ['link', 'set', 'v0', 'up'],
  ['link', 'set', 'v1', 'up'],
  ['neighbour', 'add', '10.9.9.2', 'lladdr', '02:00:00:00:00:01', 'dev', 'v0'],
];

let count = 0;

/**
 * Makes a namespace. `setup` are arguments of ip(8), run inside; `hosts` becomes its /etc/hosts.
 */
export function makeNamespace(
  t: ExecutionContext,
  setup: readonly (readonly string[])[],
  hosts = '127.0.0.1 localhost\n',
): NetworkNamespace {
  const name = `tnet-${process.pid}-${++count}`;
  const files = `/etc/netns/${name}`;
  execFileSync('ip', ['netns', 'add', name]);
  t.teardown(() => {
    execFileSync('ip', ['netns', 'delete', name]);
    rmSync(files, { recursive: true, force: true });
  });
  // ip netns exec shows the files of this folder in the place of those in /etc.
  mkdirSync(files, { recursive: true });
  writeFileSync(`${files}/hosts`, hosts);
  for (const words of [['link', 'set', 'lo', 'up'], ...setup]) execFileSync('ip', ['-n', name, ...words]);
  return { inside: ['ip', 'netns', 'exec', name], hosts: `${files}/hosts` };
}
