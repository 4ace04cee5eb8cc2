import type { Connection } from '../src/net/connection.ts';
import { formatRemote } from '../src/serve/serve.ts';
import { maxDatagramBytes, type LostDatagrams } from '../src/net/datagram-peer.ts';
import type { Context } from './context.ts';

/** Reports what a datagram peer loses or cuts; any other connection does neither. */
export function reportDatagrams({ reporter }: Context, peer: Connection, server: string): void {
  const remote = formatRemote(peer, server);
  peer.on('lost', (lost: LostDatagrams) => reporter.emit({ event: 'datagrams-lost', remote, ...lost }));
  peer.on('cut', (bytes: number) => {
    reporter.emit({ event: 'datagram-cut', remote, bytes, limitBytes: maxDatagramBytes });
  });
}
