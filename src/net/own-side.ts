import { lstatSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { formatPath } from '../address/endpoint.ts';
import { errorCode, ExplainedError, TnetError } from '../errors.ts';
import { describeHolder, type SocketPlace } from './port-holder.ts';

/** What was asked for our end of a connection. */
interface OwnSide {
  readonly kind: 'tcp' | 'udp';
  readonly address?: string | undefined;
  readonly port?: number | undefined;
}

/** How many addresses of this machine an error names. */
const namedAddresses = 4;

/**
 * An error of bind(2) for a server, with advice. Any other error is returned as it is.
 *
 * @param advice what to do when the address is in use
 */
export function explainBind(error: unknown, place: SocketPlace, advice = ''): unknown {
  const code = errorCode(error);
  if (!(error instanceof Error)) return error;
  if (code === 'TNET_E_PATH_IN_USE' && place.kind === 'unix') {
    if (!lstatSync(place.path, { throwIfNoEntry: false })?.isSocket()) return error;
    const holder = describeHolder(place);
    const who = holder === undefined ? '' : ` (${holder})`;
    const message = `another server is listening on this path${who}${advice}`;
    return new TnetError('TNET_E_PATH_IN_USE', message, { subject: formatPath(place.path), cause: error });
  }
  const port = place.kind === 'unix' ? 0 : place.port;
  switch (code) {
    case 'EADDRINUSE': {
      const holder = describeHolder(place);
      const who = holder === undefined ? '' : ` by ${holder}`;
      return new ExplainedError(error, `address already in use${who}${advice}`);
    }
    case 'EADDRNOTAVAIL':
      return new ExplainedError(error, `not an address of this machine, which has ${listAddresses()}`);
    case 'EACCES':
      return isPrivileged(port) ? new ExplainedError(error, sayPrivileged(port)) : error;
    default:
      return error;
  }
}

/**
 * An error about our own end of a connection, as it was asked for: it names that end, and not the target. Any other
 * error is returned as it is.
 */
export function explainSource(error: Error, { kind, address, port = 0 }: OwnSide): Error {
  const { syscall } = error as NodeJS.ErrnoException;
  const code = errorCode(error);
  const source = `-s ${address ?? ''}`;
  const sourcePort = `-p ${port}`;
  if (code === 'EADDRNOTAVAIL' && syscall === 'bind' && address !== undefined) {
    const message = `the source address is not one of this machine, which has ${listAddresses()}`;
    return new ExplainedError(error, message, source);
  }
  if (port === 0) return error;
  // libuv reports bind(2)'s error for an address in use only when it connects.
  if (code === 'EADDRINUSE') {
    const holder = describeHolder({ kind, port });
    const who = holder === undefined ? '' : ` by ${holder}`;
    return new ExplainedError(
      error,
      `the source port is in use${who}; without -p any free port is used`,
      sourcePort,
    );
  }
  if (code === 'EACCES' && syscall === 'bind' && isPrivileged(port))
    return new ExplainedError(error, `as a source, ${sayPrivileged(port)}`, sourcePort);
  if (code === 'EADDRNOTAVAIL' && syscall === 'connect') {
    const message =
      'a connection from this source port to the target is still there or has just ended; without -p any free port is used';
    return new ExplainedError(error, message, sourcePort);
  }
  return error;
}

/** The addresses that can be bound, first those that other machines can reach. */
function listAddresses(): string {
  const all = Object.values(networkInterfaces())
    .flatMap((some) => some ?? [])
    // A link-local address is useless without the link's name.
    .filter(({ address }) => !address.startsWith('fe80:'))
    .sort((one, other) => Number(one.internal) - Number(other.internal))
    .map(({ address }) => address);
  const named = all.slice(0, namedAddresses).join(', ');
  return all.length > namedAddresses ? `${named} and ${all.length - namedAddresses} more` : named || 'none';
}

function isPrivileged(port: number): boolean {
  return port > 0 && port < firstPort();
}

/** The first port that every user may bind. Source: ip(7), ip_unprivileged_port_start. */
function firstPort(): number {
  try {
    return Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'latin1'));
  } catch {
    return 1024;
  }
}

function sayPrivileged(port: number): string {
  const first = firstPort();
  const grant =
    process.platform === 'linux'
      ? `, or as root: sysctl net.ipv4.ip_unprivileged_port_start=${port}, or setcap cap_net_bind_service=+ep ${process.execPath}`
      : '';
  return `port ${port} is privileged, as all below ${first} are: use a port from ${first} up${grant}`;
}
