import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

/** Where a socket is, for the tables of the system. */
export type SocketPlace =
  { readonly kind: 'tcp' | 'udp'; readonly port: number } | { readonly kind: 'unix'; readonly path: string };

/** A process that has a socket. */
export interface Holder {
  readonly pid: number;
  /** As a person knows it: `redis-server`, or `python3 serve.py` where an interpreter runs it. */
  readonly program: string;
}

/** Programs that run another one, named by their first argument. */
const interpreters = /^(?:node|nodejs|bun|deno|python|ruby|perl|php|java|sh|bash|dash)[\d.]*$/;

/**
 * The process that has a port or a Unix socket's path, as far as /proc shows: it shows nothing about other users'
 * processes. Source: proc_pid_net(5) for the tables, proc_pid_fd(5) for who has an inode.
 */
export function findHolder(place: SocketPlace): Holder | undefined {
  try {
    const links = new Set(listInodes(place).map((inode) => `socket:[${inode}]`));
    if (links.size === 0) return undefined;
    const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && hasLink(name, links));
    return pid === undefined ? undefined : { pid: Number(pid), program: nameProgram(pid) };
  } catch {
    return undefined;
  }
}

/** `python3 serve.py, process 4711`, or undefined. */
export function describeHolder(place: SocketPlace): string | undefined {
  const holder = findHolder(place);
  return holder && `${holder.program}, process ${holder.pid}`;
}

/** Those that listen come first. */
function listInodes(place: SocketPlace): string[] {
  if (place.kind === 'unix') {
    return readRows('unix')
      .filter((row) => isBoundTo(row.slice(7).join(' '), place.path))
      .map((row) => row[6] ?? '');
  }
  const port = `:${place.port.toString(16).toUpperCase().padStart(4, '0')}`;
  return [...readRows(place.kind), ...readRows(`${place.kind}6`)]
    .filter((row) => row[1]?.endsWith(port))
    .sort((one, other) => Number(other[3] === listening) - Number(one[3] === listening))
    .map((row) => row[9] ?? '')
    .filter((inode) => inode !== '0');
}

/**
 * Our servers bind a path under a temporary name, which is the one that the system keeps showing: see
 * passingName().
 */
function isBoundTo(bound: string, path: string): boolean {
  if (path.startsWith('\0')) return bound === `@${path.slice(1)}`;
  return [path, resolve(path)].some((name) => {
    const start = join(dirname(name), `.${basename(name)}.`);
    return bound === name || (bound.startsWith(start) && /^[\da-z]+$/.test(bound.slice(start.length)));
  });
}

/** TCP_LISTEN. */
const listening = '0A';

function readRows(table: string): string[][] {
  const lines = readFileSync(`/proc/self/net/${table}`, 'latin1').split('\n').slice(1);
  return lines.map((line) => line.trim().split(/\s+/));
}

function hasLink(pid: string, links: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => links.has(readLink(`/proc/${pid}/fd/${fd}`)));
  } catch {
    return false;
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function nameProgram(pid: string): string {
  const [first = '', ...more] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  // A process may write there what it likes, as a title with spaces.
  const name = basename(first.split(' ')[0] ?? '');
  const script = more.find((word) => word !== '' && !word.startsWith('-'));
  if (interpreters.test(name) && script !== undefined) return `${name} ${basename(script)}`;
  return name === '' ? readFileSync(`/proc/${pid}/comm`, 'utf8').trim() : name;
}
