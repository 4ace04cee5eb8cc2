import { isUnixKind, type Endpoint } from '../../src/address/endpoint.ts';
import { refuseAddressFlags, toFamily, refuseNumericForm } from '../../src/address/host-rules.ts';
import { parsePath, parsePort, parseWords } from '../../src/address/parse.ts';
import { TnetError } from '../../src/errors.ts';
import { isWorker } from '../is-worker.ts';
import type { TableFlags } from './row.ts';
import type { address } from './table/address.ts';
import type { access } from './table/clients.ts';
import type { clientHeader } from './table/proxies.ts';

/** The flags and words that name where a server listens. */
export type ServerAddressFlags = TableFlags<typeof address & typeof access & typeof clientHeader, 'listen'>;

/**
 * The endpoint that a server command is to bind: `[ADDRESS]` words, or `-U PATH`, or `-p PORT` with `-s ADDR`.
 *
 * @throws TnetError TNET_E_ADDRESS, or TNET_E_USAGE when none or more than one is given.
 */
function readServerAddress(words: readonly string[], options: ServerAddressFlags): Endpoint {
  const given = [words.length > 0, options.unix !== undefined, options.port !== undefined].filter(
    Boolean,
  ).length;
  if (given === 0) throw new TnetError('TNET_E_USAGE', 'name a port, an address or -U PATH to listen on');
  if (given > 1) throw new TnetError('TNET_E_USAGE', 'name one address: as words, with -p, or with -U');
  if (options.unix !== undefined) return parsePath(options.unix);
  // Which of the two it is, applyUdp() says; the names of services are the protocol's own.
  const protocol = options.udp ? 'udp' : 'tcp';
  const endpoint: Endpoint =
    options.port === undefined
      ? parseWords(words, protocol)
      : { kind: 'tcp', port: parsePort(options.port, protocol) };
  if (options.source === undefined) return endpoint;
  if (endpoint.kind !== 'tcp' || endpoint.host !== undefined) {
    throw new TnetError('TNET_E_USAGE', '-s names the host, and the address has one already');
  }
  refuseNumericForm(options.source);
  const { host } = parseWords([options.source, String(endpoint.port)]) as typeof endpoint;
  return { ...endpoint, host };
}

/**
 * The endpoints that a server command is to bind: the one that is named (see readServerAddress), or without one every
 * socket that systemd hands over.
 *
 * @throws TnetError TNET_E_ADDRESS, TNET_E_USAGE
 */
export function readServerAddresses(words: readonly string[], options: ServerAddressFlags): Endpoint[] {
  const isNamed = words.length > 0 || options.unix !== undefined || options.port !== undefined;
  const activated = takeActivatedSockets();
  const endpoints =
    !isNamed && activated.length > 0
      ? activated
      : [toFamily(readServerAddress(words, options), readFamily(options))];
  refuseAddressFlags(endpoints, addressFlags(options));
  const hasList = (options.allow ?? options.deny) !== undefined;
  if (
    hasList &&
    !options.acceptProxy &&
    endpoints.some((endpoint) => isUnixKind(endpoint) || endpoint.kind === 'vsock')
  ) {
    throw new TnetError(
      'TNET_E_USAGE',
      '--allow and --deny judge IP addresses, and a Unix socket has none; use --mode',
    );
  }
  return endpoints;
}

/** The endpoint to bind for one that may ask for TLS. */
export function toPlainEndpoint(endpoint: Endpoint): Endpoint {
  return endpoint.kind === 'tls' ? { ...endpoint, kind: 'tcp' } : endpoint;
}

/** The flags about IP addresses and names, for refuseAddressFlags(). An access list may have names too. */
export function addressFlags({
  ipv4,
  ipv6,
  numeric,
  allow,
  deny,
}: Pick<ServerAddressFlags, 'ipv4' | 'ipv6' | 'numeric' | 'allow' | 'deny'>): Readonly<
  Record<string, unknown>
> {
  return { '-4': ipv4, '-6': ipv6, '-n': numeric === true && (allow ?? deny) === undefined };
}

/** The address family that -4 or -6 asks for. */
export function readFamily(options: Pick<ServerAddressFlags, 'ipv4' | 'ipv6'>): 4 | 6 | undefined {
  if (options.ipv4) return 4;
  return options.ipv6 ? 6 : undefined;
}

/** The first descriptor that systemd hands over. Source: sd_listen_fds(3), SD_LISTEN_FDS_START. */
const firstDescriptor = 3;

/** The variables that were taken out of the environment, for workers: they read the same addresses, and bind none. */
export let activation: { readonly LISTEN_FDS?: string; readonly LISTEN_PID?: string } = {};

/**
 * The sockets that systemd has opened for this process: none when LISTEN_FDS is not set or was meant for another
 * process. The variables are taken out of the environment, as no child of ours is meant either.
 * Source: sd_listen_fds(3).
 */
function takeActivatedSockets(
  environment: NodeJS.ProcessEnv = process.env,
  pid: number = isWorker() ? process.ppid : process.pid,
): Endpoint[] {
  const { LISTEN_FDS: countText, LISTEN_PID: pidText } = environment;
  for (const name of ['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES'])
    Reflect.deleteProperty(environment, name);
  if (countText !== undefined && pidText !== undefined)
    activation = { LISTEN_FDS: countText, LISTEN_PID: pidText };
  if (pidText !== String(pid) || countText === undefined || !/^\d{1,6}$/.test(countText)) return [];
  return Array.from({ length: Number(countText) }, (_, index) => ({
    kind: 'fd',
    fd: firstDescriptor + index,
  }));
}

/**
 * The endpoint as one of datagrams when -u is given: UDP, or a Unix socket of datagrams.
 *
 * @throws TnetError TNET_E_USAGE for what cannot be either
 */
export function applyUdp(
  endpoint: Endpoint,
  { udp }: Pick<TableFlags<typeof address, 'listen'>, 'udp'>,
): Endpoint {
  if (!udp || endpoint.kind === 'udp') return endpoint;
  if (endpoint.kind === 'tcp') return { ...endpoint, kind: 'udp' };
  if (endpoint.kind === 'unix' || endpoint.kind === 'unix-dgram') return { ...endpoint, kind: 'unix-dgram' };
  throw new TnetError('TNET_E_USAGE', '-u goes with HOST PORT, PORT or a path');
}
