import { TnetError } from '../errors.ts';
import { connectDatagram } from '../net/datagram.ts';
import type { DatagramPeer } from '../net/datagram-peer.ts';
import { lookupFirst } from '../net/lookup.ts';
import { formatHostPort, type Endpoint } from '../address/endpoint.ts';
import type { DialOptions } from './dial.ts';
import { refuseNumericForm, requireNumericHost } from '../address/host-rules.ts';

/**
 * Opens a UDP socket to an endpoint's first address. Nothing is
 * sent, so that it succeeds says nothing of the peer.
 *
 * @throws the system's error, or TnetError TNET_E_TIMEOUT (of DNS), TNET_E_ADDRESS, or what `judge` says.
 */
export async function dialDatagram(
  { host = 'localhost', port }: Extract<Endpoint, { kind: 'udp' }>,
  { family, numericOnly, localAddress, localPort, tuneDatagrams, ...rest }: DialOptions,
): Promise<DatagramPeer> {
  const { timeoutMs, signal, judge, onAttempt } = rest;
  refuseNumericForm(host);
  if (localAddress !== undefined) refuseNumericForm(localAddress);
  if (numericOnly) requireNumericHost({ kind: 'udp', host, port });
  const limit = new AbortController();
  const timer = timeoutMs === undefined ? undefined : setTimeout(() => limit.abort(), timeoutMs);
  const aborted = AbortSignal.any([limit.signal, ...(signal ? [signal] : [])]);
  try {
    const found = lookupFirst(host, { family });
    const { address } = await Promise.race([found, rejectOn(aborted)]);
    const denial = judge?.(address, port);
    if (denial) throw denial;
    onAttempt?.(formatHostPort(address, port));
    return await connectDatagram({ address, port, localAddress, localPort, tune: tuneDatagrams });
  } catch (error) {
    if (!limit.signal.aborted) throw error;
    throw new TnetError('TNET_E_TIMEOUT', `no address within ${timeoutMs ?? 0} ms`, {
      subject: host,
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}

function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}
