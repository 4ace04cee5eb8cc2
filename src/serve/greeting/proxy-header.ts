import { formatHostPort, formatPath } from '../../address/endpoint.ts';
import type { Socket } from '../../net/index.ts';
import { presentAddresses } from '../../net/connection.ts';
import { violation } from '../../protocol/protocol-error.ts';
import { ProxyHeaderReceiver } from '../../protocol/proxy-protocol/decode.ts';
import { type ProxyHeader } from '../../protocol/proxy-protocol/header.ts';
import type { Greeting, GreetingLimits, ReadGreeting } from './greeting.ts';
import { HeadReader } from './head-reader.ts';

/** Reads the PROXY header that a proxy in front of us puts before a connection. See ReadGreeting. */
export async function readProxyHeader(
  client: Socket,
  soFar: Greeting,
  limits: GreetingLimits,
): Promise<Greeting> {
  const reader = new HeadReader(client, { ...limits, what: 'no PROXY header' }, soFar);
  const receiver = new ProxyHeaderReceiver();
  for (;;) {
    const chunk = await reader.nextOfGreeting();
    if (!chunk)
      throw violation('proxy-protocol', 'cut-short', 'the client ended before its PROXY header was whole');
    const received = receiver.receive(chunk);
    if (!received) continue;
    return { ...soFar, ...reader.finish(received.rest), header: received.header };
  }
}

/** As readProxyHeader(), and has the socket shown under the addresses of the header from then on. */
export const readPresentedClient: ReadGreeting = async (client, soFar, limits) => {
  const greeting = await readProxyHeader(client, soFar, limits);
  if (greeting.header) presentEnds(client, greeting.header);
  return greeting;
};

/**
 * Presents a socket under the addresses that its header names. LOCAL, UNKNOWN and UNSPEC say nothing: the connection's own
 * addresses stay.
 */
function presentEnds(socket: Socket, { command, ends }: ProxyHeader): void {
  if (command === 'local' || ends.family === 'unknown') return;
  const { source, destination } = ends;
  if (typeof source === 'string' || typeof destination === 'string') {
    presentAddresses(socket, { remote: formatEnd(source), local: formatEnd(destination) });
    return;
  }
  presentAddresses(socket, {
    remote: formatHostPort(source.host, source.port),
    local: formatHostPort(destination.host, destination.port),
    remoteHost: source.host,
    remotePort: source.port,
  });
}

function formatEnd(end: string | { host: string; port: number }): string {
  if (typeof end !== 'string') return formatHostPort(end.host, end.port);
  return end === '' ? 'unix:' : formatPath(end);
}
