import type { Connection } from '../../net/connection.ts';
import { Socket } from '../../net/index.ts';
import { formatSource, type Greeting, type TargetRequest } from './greeting.ts';

/** What a client said before its stream began, as far as it said it. */
export interface DescribedGreeting {
  /** The client that a PROXY header names; `unknown` if it names none. */
  readonly client?: string;
  /** What was agreed on by TLS. */
  readonly tls?: {
    readonly protocol: string;
    /** The name that the client asked for. */
    readonly serverName?: string;
    readonly alpn?: string;
  };
  /** What it asks to be connected to, by SOCKS or CONNECT. */
  readonly request?: Pick<TargetRequest, 'command' | 'host' | 'port'>;
  /** The pattern of --route that its first bytes match: `sni:db.example.com`. */
  readonly route?: string;
}

/** Undefined for a client that said nothing of this kind. */
export function describeGreeting(
  client: Connection,
  { header, request, route }: Greeting,
): DescribedGreeting | undefined {
  const tls = client instanceof Socket ? describeTls(client) : undefined;
  if (!header && !tls && !request && !route) return undefined;
  return {
    ...(header && { client: formatSource(header) }),
    ...(tls && { tls }),
    ...(request && { request: { command: request.command, host: request.host, port: request.port } }),
    ...(route && { route: `${route.kind}:${route.name}` }),
  };
}

function describeTls({ secureLayer }: Socket): DescribedGreeting['tls'] {
  if (!secureLayer) return undefined;
  const { alpnProtocol: alpn, servername } = secureLayer as { alpnProtocol: unknown; servername?: unknown };
  return {
    protocol: secureLayer.getProtocol() ?? '',
    ...(typeof servername === 'string' && { serverName: servername }),
    ...(typeof alpn === 'string' && { alpn }),
  };
}
