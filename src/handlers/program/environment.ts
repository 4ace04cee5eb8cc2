import { unmapAddress } from '../../address/address.ts';
import type { Endpoint } from '../../address/endpoint.ts';
import type { Connection } from '../../net/connection.ts';
import type { ProxyHeader } from '../../protocol/proxy-protocol/header.ts';
import { sourceOf } from '../../serve/greeting/greeting.ts';

/** How a connection is described in the program's environment. */
export interface ConnectionFacts {
  readonly id: number;
  readonly protocol: string;
  /** If there is no address: the Unix path. */
  readonly path: string;
  /** What the client's PROXY header said. */
  readonly header?: ProxyHeader | undefined;
}

/** The environment of a program that serves a connection, or stands for one. */
export function describeConnection(client: Connection, facts: ConnectionFacts): Record<string, string> {
  const unmap = (address: string | undefined) => unmapAddress(address ?? facts.path);
  // Behind a proxy the client is who the PROXY header says it is.
  const presented = sourceOf(facts.header);
  const port = (number: number | undefined) => (number === undefined ? '' : String(number));
  return {
    TNET_REMOTE_ADDR: presented?.host ?? unmap(client.remoteAddress),
    TNET_REMOTE_PORT: port(presented?.port ?? client.remotePort),
    TNET_LOCAL_ADDR: unmap(client.localAddress),
    TNET_LOCAL_PORT: port(client.localPort),
    TNET_PROTO: facts.protocol,
    TNET_CONNECTION_ID: String(facts.id),
  };
}

/** `tcp`, `udp`, `unix` or `tls`, for TNET_PROTO. */
export function protocolOf(endpoint: Endpoint, client: Connection, isSecure = false): string {
  if (isSecure) return 'tls';
  if (endpoint.kind !== 'fd') return endpoint.kind;
  return client.remoteAddress === undefined ? 'unix' : 'tcp';
}
