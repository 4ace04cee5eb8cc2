import { readFileSync } from 'node:fs';
import { endianness, networkInterfaces } from 'node:os';
import { plainAddress, findNearKind } from '../address/address.ts';
import { isLocalEnd, isUnixKind, localCid, type Endpoint } from '../address/endpoint.ts';
import { readSocketInode, readSocketTable } from './descriptor-tables.ts';
import { parseBlock, wholeAddress } from '../address/prefix.ts';
import { isLoopbackName } from '../address/host-rules.ts';

/**
 * The path of a Unix socket that another process bound, as node:net writes paths: an abstract name begins with a
 * NUL byte. Undefined when the descriptor is not a bound Unix socket, or when the system does not tell (Linux
 * does). Source: unix(7), "/proc" and proc_pid_net(5): the rows of /proc/net/unix end with the inode and the path.
 */
export function findListenerPath(fd: number): string | undefined {
  try {
    const inode = readSocketInode(fd);
    if (inode === undefined) return undefined;
    const table = readFileSync('/proc/self/net/unix', 'utf8');
    const [, path] = new RegExp(` ${inode} (.+)$`, 'm').exec(table) ?? [];
    return path?.startsWith('@') ? `\0${path.slice(1)}` : path;
  } catch {
    return undefined;
  }
}

/**
 * The IP address that another process bound a TCP socket to, as the system has it. Undefined when the descriptor is
 * not a bound TCP socket of this network namespace, or when the system does not tell (Linux does). Source:
 * proc_pid_net(5): the rows of /proc/net/tcp have the address in the second column and the inode in the tenth.
 */
function findListenerHost(fd: number): string | undefined {
  const inode = readSocketInode(fd);
  if (inode === undefined) return undefined;
  for (const name of ['tcp', 'tcp6'] as const) {
    const row = readSocketTable(name).find((columns) => columns[9] === inode);
    const [digits] = row?.[1]?.split(':') ?? [];
    if (digits !== undefined) return formatRow(Buffer.from(digits, 'hex'));
  }
  return undefined;
}

/** The kernel prints an address in words of 32 bits, each as this machine stores it. */
function formatRow(words: Buffer): string {
  const bytes = endianness() === 'LE' ? words.swap32() : words;
  if (bytes.length === 4) return bytes.join('.');
  return (bytes.toString('hex').match(/.{4}/g) ?? []).join(':');
}

/** Whether connecting to an address means connecting to this machine. */
export function isOfThisMachine(text: string): boolean {
  const kind = findNearKind(text);
  if (kind === 'loopback' || kind === 'unspecified') return true;
  const plain = plainAddress(text);
  return Object.values(networkInterfaces())
    .flat()
    .some((one) => one !== undefined && plainAddress(one.address) === plain);
}

/**
 * Whether a listener can be reached only from this machine, as far as its address tells. A passed descriptor is
 * judged by what it is bound to.
 */
export function isLocalListener(listen: Endpoint): boolean {
  if (isUnixKind(listen) || isLocalEnd(listen)) return true;
  // The host of a virtual machine and its guests are other machines.
  if (listen.kind === 'vsock') return listen.cid === localCid;
  if (listen.kind === 'fd' && findListenerPath(listen.fd) !== undefined) return true;
  const host = (listen.kind === 'fd' ? findListenerHost(listen.fd) : hostOf(listen)) ?? '';
  const address = wholeAddress(host);
  const loopback = ['127.0.0.0/8', '::1'].map(parseBlock);
  // A name may mean another address tomorrow; localhost may not (RFC 6761, 6.3).
  return address ? loopback.some((block) => block.covers(address)) : isLoopbackName(host);
}

function hostOf(endpoint: Endpoint): string | undefined {
  return 'host' in endpoint ? endpoint.host : undefined;
}
