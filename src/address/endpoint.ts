import { unmapAddress } from './address.ts';

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
  /** A program and its arguments; its stdin and stdout are the end. */
  | { readonly kind: 'exec'; readonly words: readonly string[] }
  | { readonly kind: 'stdio' };

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
    case 'exec':
      return endpoint.words.join(' ');
    case 'stdio':
      return '-';
  }
}

/** An endpoint as what is connected to: without a host that is localhost. */
export function formatTargetEndpoint(endpoint: Endpoint): string {
  return formatEndpoint('port' in endpoint ? { ...endpoint, host: endpoint.host ?? 'localhost' } : endpoint);
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
