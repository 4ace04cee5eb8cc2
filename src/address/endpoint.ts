import { unmapAddress } from './address.ts';
import { joinCommandWords, shell } from './command-words.ts';

/** Where bytes come from or go to, as parsed from the command line. Pure data. */
export type Endpoint =
  /** `host` undefined: every address when listening, localhost when connecting. `port` 0: any free one. */
  | { readonly kind: 'tcp'; readonly host?: string; readonly port: number }
  | { readonly kind: 'tls'; readonly host?: string; readonly port: number }
  | { readonly kind: 'udp'; readonly host?: string; readonly port: number }
  /** `path` begins with a NUL byte for the abstract namespace of Linux, as node:net writes it. */
  | { readonly kind: 'unix'; readonly path: string }
  /** A descriptor that the parent process opened. */
  | { readonly kind: 'fd'; readonly fd: number }
  | { readonly kind: 'stdio' }
  | OtherEndpoint;

/** The ends that are neither TCP, UDP, a Unix stream socket nor a descriptor. Pure data, as every Endpoint. */
export type OtherEndpoint =
  /** A WebSocket, over TLS if `isSecure`. `path` begins with a slash and includes the query. */
  | {
      readonly kind: 'ws';
      readonly isSecure: boolean;
      readonly host?: string;
      readonly port: number;
      readonly path: string;
    }
  /** Unix sockets that keep messages apart; `path` as for a stream socket. */
  | { readonly kind: 'unix-dgram'; readonly path: string }
  | { readonly kind: 'unix-seqpacket'; readonly path: string }
  /** A program and its arguments; its stdin and stdout, or its terminal, are the end. */
  | { readonly kind: 'exec'; readonly words: readonly string[] }
  | { readonly kind: 'pty'; readonly words: readonly string[] }
  | { readonly kind: 'file'; readonly path: string }
  | ({ readonly kind: 'serial'; readonly path: string } & SerialSettings)
  /** A port of a virtual machine or its host. `cid` undefined: any, when listening. Source: vsock(7). */
  | { readonly kind: 'vsock'; readonly cid?: number; readonly port: number };

/** How a serial line is set; what is absent stays as the device has it. Source: termios(3). */
export interface SerialSettings {
  /** Bits a second. */
  readonly baud?: number;
  /** Bits of a character, parity and stop bits, as in `8N1`. */
  readonly framing?: string;
  readonly flow?: 'none' | 'rtscts' | 'xonxoff';
}

/** The CID of this machine itself. Source: vsock(7), VMADDR_CID_LOCAL. */
export const localCid = 1;

/** Whether an endpoint is a port of a host. */
export function hasHost(
  endpoint: Endpoint,
): endpoint is Extract<Endpoint, { kind: 'tcp' | 'tls' | 'udp' | 'ws' }> {
  return ['tcp', 'tls', 'udp', 'ws'].includes(endpoint.kind);
}

/** Whether an endpoint is a Unix socket, of whichever kind. */
export function isUnixKind(
  endpoint: Endpoint,
): endpoint is Extract<Endpoint, { kind: 'unix' | 'unix-dgram' | 'unix-seqpacket' }> {
  return ['unix', 'unix-dgram', 'unix-seqpacket'].includes(endpoint.kind);
}

/** The ends that are no peer, but something of this machine: a program, a file, a device, our own stdin and stdout. */
export const localEnds = [
  'exec',
  'pty',
  'file',
  'serial',
  'stdio',
] as const satisfies readonly Endpoint['kind'][];

export function isLocalEnd({ kind }: { readonly kind: string }): boolean {
  return (localEnds as readonly string[]).includes(kind);
}

/**
 * Whether the clients of a listener are served by the process that accepts them: they cannot be handed over to another
 * one.
 */
export function isServedHere({ kind }: Endpoint): boolean {
  return ['udp', 'unix-dgram', 'unix-seqpacket', 'vsock'].includes(kind);
}

/** Whether an address itself asks for TLS. */
export function isSecure(endpoint: Endpoint): boolean {
  return endpoint.kind === 'tls' || (endpoint.kind === 'ws' && endpoint.isSecure);
}

/** The endpoint as the user would write it: `127.0.0.1:80`, `[::1]:80`, `/tmp/x.sock`, `unix:@name`, `-`. */
export function formatEndpoint(endpoint: Endpoint): string {
  switch (endpoint.kind) {
    case 'tcp':
      return formatHostPort(endpoint.host, endpoint.port);
    case 'tls':
    case 'udp':
      return `${endpoint.kind}://${formatHostPort(endpoint.host, endpoint.port)}`;
    case 'unix':
      return formatPath(endpoint.path);
    case 'fd':
      return `fd:${endpoint.fd}`;
    case 'stdio':
      return '-';
    default:
      return formatOther(endpoint);
  }
}

/** An endpoint as what is connected to: without a host that is localhost. */
export function formatTargetEndpoint(endpoint: Endpoint): string {
  return formatEndpoint(hasHost(endpoint) ? { ...endpoint, host: endpoint.host ?? 'localhost' } : endpoint);
}

/**
 * `host:port`, with brackets around an IPv6 address; `*` for every address. An IPv4 address that a dual-stack
 * socket shows as `::ffff:127.0.0.1` is written as the IPv4 address it is.
 */
export function formatHostPort(address: string | undefined, port: number): string {
  if (address === undefined) return `*:${port}`;
  const host = unmapAddress(address);
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** A Unix socket's path, or `unix:@name` for an abstract one. */
export function formatPath(path: string): string {
  return path.startsWith('\0') ? `unix:@${path.slice(1)}` : path;
}

function formatOther(endpoint: OtherEndpoint): string {
  switch (endpoint.kind) {
    case 'ws': {
      const scheme = endpoint.isSecure ? 'wss' : 'ws';
      return `${scheme}://${formatHostPort(endpoint.host, endpoint.port)}${endpoint.path}`;
    }
    case 'unix-dgram':
    case 'unix-seqpacket':
      return `${endpoint.kind}:${formatPath(endpoint.path).replace(/^unix:/, '')}`;
    case 'exec': {
      const [file, option, line] = endpoint.words;
      const isLine = endpoint.words.length === 3 && file === shell[0] && option === shell[1];
      return isLine && /\D/.test(line ?? '')
        ? `sh:${line ?? ''}`
        : `exec:${joinCommandWords(endpoint.words)}`;
    }
    case 'pty':
      return `pty:${joinCommandWords(endpoint.words)}`;
    case 'file':
      return `file:${endpoint.path}`;
    case 'serial':
      return `serial:${endpoint.path}${formatSerial(endpoint)}`;
    case 'vsock':
      return `vsock:${endpoint.cid ?? 'any'}:${endpoint.port}`;
  }
}

function formatSerial({ baud, framing, flow }: SerialSettings): string {
  const words = [baud, framing, flow].filter((word) => word !== undefined);
  return words.length > 0 ? `@${words.join(',')}` : '';
}
