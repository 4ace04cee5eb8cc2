import { formatHostPort } from '../address/endpoint.ts';
import type { Connection } from '../net/connection.ts';
import { maxDatagramBytes, type DatagramPeer, type LostDatagrams } from '../net/datagram-peer.ts';
import type { Books } from './ledger.ts';

/** Reports what a connection of messages loses or truncates, and who answers for a group; others do none of it. */
export function watchDatagrams(peer: Connection, remote: string, { emit }: Pick<Books, 'emit'>): void {
  const { mostBytes: limitBytes = maxDatagramBytes } = peer as Partial<DatagramPeer>;
  peer.on('lost', (lost: LostDatagrams) => emit({ event: 'datagrams-lost', remote, ...lost }));
  peer.on('cut', (bytes: number) => emit({ event: 'datagram-cut', remote, bytes, limitBytes }));
  peer.on('answer', (address: string, port: number, bytes: number) =>
    emit({ event: 'answer', remote: formatHostPort(address, port), bytes }),
  );
}
