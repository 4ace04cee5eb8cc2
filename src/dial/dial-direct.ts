import { formatHostPort, type Endpoint, formatPath } from '../address/endpoint.ts';
import { TnetError, errorCode, formatLimit } from '../errors.ts';
import { connectDatagram } from '../net/datagram.ts';
import type { DatagramPeer } from '../net/datagram-peer.ts';
import { Deadline, rejectOn } from '../net/deadline.ts';
import { explainSource } from '../net/own-side.ts';
import { lookupFirst } from '../net/lookup.ts';
import { awaitPlace } from './backlog.ts';
import type { DialOptions } from './dial-options.ts';
import { refuseNumericForm, requireNumericHost } from '../address/host-rules.ts';
import { once } from 'node:events';
import { connect, type Socket } from '../net/index.ts';

/**
 * Opens a UDP socket to an endpoint's first address. Nothing is sent, so success says nothing about the peer.
 *
 * @throws the system's error, or TnetError TNET_E_TIMEOUT (of DNS), TNET_E_ADDRESS, or the error that `judge`
 *   returns.
 */
export async function dialDatagram(
  { host = 'localhost', port }: Extract<Endpoint, { kind: 'udp' }>,
  { family, numericOnly, source, judge, tuneDatagrams, group, proxies = [], ...rest }: DialOptions,
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
      const message = `the address was not found within ${formatLimit(timeoutMs ?? 0)}`;
      throw new TnetError('TNET_E_TIMEOUT', message, { subject: host, cause: error });
    },
  );
  const denial = judge?.({ transport: 'datagram', address, port });
  if (denial) throw denial;
  observer?.attempt?.(formatHostPort(address, port));
  const { address: localAddress, port: localPort } = source ?? {};
  try {
    return await connectDatagram({ address, port, localAddress, localPort, tune: tuneDatagrams, group });
  } catch (error) {
    throw source ? explainSource(error as Error, { kind: 'udp', ...source }) : error;
  }
}

/**
 * Connects to a Unix socket, when its server has a place for it.
 *
 * @throws the system's error, or the signal's reason
 */
export async function dialPath(
  path: string,
  { observer, proxies = [] }: DialOptions,
  signal: AbortSignal,
): Promise<Socket> {
  if (proxies.length > 0)
    throw new TnetError('TNET_E_USAGE', 'a proxy reaches hosts and ports, not Unix sockets');
  const subject = formatPath(path);
  observer?.attempt?.(subject);
  return awaitPlace(async () => {
    try {
      const socket = connect({ allowHalfOpen: true, dataBeforeError: true, path });
      // The connect succeeds or fails at once.
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (errorCode(error) === 'EAGAIN') return undefined;
      observer?.attemptFailed?.(subject, error as Error);
      throw error;
    }
  }, signal);
}
