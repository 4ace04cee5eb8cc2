import { formatHostPort, type Endpoint } from '../address/endpoint.ts';
import { TnetError } from '../errors.ts';
import { connectDatagram } from '../net/datagram.ts';
import type { DatagramPeer } from '../net/datagram-peer.ts';
import { Deadline } from '../net/deadline.ts';
import { lookupFirst } from '../net/lookup.ts';
import type { DialOptions } from './dial-options.ts';
import { refuseNumericForm, requireNumericHost } from '../address/host-rules.ts';

/**
 * Opens a UDP socket to an endpoint's first address. Nothing is
 * sent, so that it succeeds says nothing of the peer.
 *
 * @throws the system's error, or TnetError TNET_E_TIMEOUT (of DNS), TNET_E_ADDRESS, or what `judge` says.
 */
export async function dialDatagram(
  { host = 'localhost', port }: Extract<Endpoint, { kind: 'udp' }>,
  { family, numericOnly, source, judge, tuneDatagrams, proxies = [], ...rest }: DialOptions,
): Promise<DatagramPeer> {
  const { timeoutMs, signal, observer } = rest;
  if (proxies.length > 0) throw new TnetError('TNET_E_USAGE', 'a proxy carries connections, not datagrams');
  refuseNumericForm(host);
  if (source?.address !== undefined) refuseNumericForm(source.address);
  if (numericOnly) requireNumericHost({ kind: 'udp', host, port });
  using deadline = new Deadline('no address', timeoutMs, signal);
  const { address } = await Promise.race([lookupFirst(host, { family }), rejectOn(deadline.signal)]).catch(
    (error: unknown) => {
      if (signal?.aborted || !deadline.signal.aborted) throw error;
      const message = `no address within ${timeoutMs ?? 0} ms`;
      throw new TnetError('TNET_E_TIMEOUT', message, { subject: host, cause: error });
    },
  );
  const denial = judge?.({ transport: 'datagram', address, port });
  if (denial) throw denial;
  observer?.attempt?.(formatHostPort(address, port));
  const { address: localAddress, port: localPort } = source ?? {};
  return await connectDatagram({ address, port, localAddress, localPort, tune: tuneDatagrams });
}

function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}
