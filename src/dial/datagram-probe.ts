import type { Endpoint } from '../address/endpoint.ts';
import { TnetError, formatLimit } from '../errors.ts';
import { dialDatagram } from './dial-direct.ts';
import type { DialOptions } from './dial-options.ts';

export interface DatagramProbeOptions {
  /** The datagrams to send, together; each may be empty. */
  readonly datagrams: readonly Buffer[];
  /** How long an answer may take, in milliseconds. */
  readonly withinMs: number;
  /** How often they are sent within that time while there is no answer: datagrams get lost. */
  readonly sends: number;
}

/**
 * Sees whether somebody answers on a UDP port: sends datagrams, and waits for any answer.
 *
 * @returns the address that was asked
 * @throws the system's error: ECONNREFUSED when its host says that nobody listens; TnetError TNET_E_TIMEOUT when nothing
 *   comes, which a server that takes the datagram and a filter that drops it have in common; what dialDatagram() throws;
 *   the signal's reason
 */
export async function probeDatagram(
  endpoint: Extract<Endpoint, { readonly kind: 'udp' }>,
  options: DialOptions,
  { datagrams, withinMs, sends }: DatagramProbeOptions,
): Promise<string> {
  const { signal } = options;
  const peer = await dialDatagram(endpoint, options);
  const answer = Promise.withResolvers<undefined>();
  const onAbort = () => answer.reject(signal?.reason as Error);
  const send = () => {
    for (const datagram of datagrams) peer.write(datagram);
  };
  const again = sends > 1 ? setInterval(send, Math.max(1, withinMs / sends)) : undefined;
  const timer = setTimeout(() => {
    const message = `no answer within ${formatLimit(withinMs)}: open or filtered`;
    answer.reject(new TnetError('TNET_E_TIMEOUT', message));
  }, withinMs);
  signal?.addEventListener('abort', onAbort, { once: true });
  peer.on('data', () => answer.resolve(undefined)).on('error', answer.reject);
  if (signal?.aborted) onAbort();
  else send();
  try {
    await answer.promise;
    return peer.remoteAddress ?? '';
  } finally {
    clearInterval(again);
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
    peer.on('error', () => undefined).destroy();
  }
}
