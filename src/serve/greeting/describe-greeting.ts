import type { Connection } from '../../net/connection.ts';
import { Socket } from '../../net/index.ts';
import { readTlsNames } from '../../net/tls-names.ts';
import type { DescribedGreeting } from './described-greeting.ts';
import { formatSource, type Greeting } from './greeting.ts';

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
  return { protocol: secureLayer.getProtocol() ?? '', ...readTlsNames(secureLayer) };
}
