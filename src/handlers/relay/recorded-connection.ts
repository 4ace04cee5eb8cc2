import { Socket } from '../../net/index.ts';
import type { Connection } from '../../net/connection.ts';
import { toRecordedEnd, type RecordedConnection } from '../../record/record-format.ts';
import { formatSource } from '../../serve/greeting/source.ts';
import type { Greeting } from '../../serve/greeting/greeting.ts';

/**
 * A client's connection as a recording names it: from the client to the address that it called, with the target that
 * it was joined to.
 *
 * @param address what the listener has bound; names a Unix socket
 */
export function describeRelayed(
  client: Connection,
  address: string,
  { id, target, greeting }: { readonly id: number; readonly target: string; readonly greeting: Greeting },
): RecordedConnection {
  const { localAddress, localPort, remoteAddress, remotePort } = client;
  const notes = [
    client instanceof Socket && client.secureLayer ? 'TLS, recorded in the clear' : undefined,
    greeting.header && `PROXY header from ${formatSource(greeting.header)}`,
  ].filter((note) => note !== undefined);
  return {
    id,
    local: toRecordedEnd(remoteAddress, remotePort, ''),
    remote: toRecordedEnd(localAddress, localPort, address),
    role: 'relayed',
    transport: client instanceof Socket ? 'tcp' : 'udp',
    target,
    ...(notes.length > 0 && { note: notes.join('; ') }),
  };
}
