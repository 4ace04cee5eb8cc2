import { serveTls, type TlsServerSettings } from '../tls-server.ts';
import { Deadline } from '../../net/deadline.ts';
import type { ReadGreeting } from './greeting.ts';
import { hearGreeting } from './greeting.ts';

/** Makes a client's socket a TLS server's, in place. See ReadGreeting; throws what serveTls() throws too. */
export function createTlsReader(settings: TlsServerSettings): ReadGreeting {
  return async (client, soFar, { limitMs, signal }) => {
    using deadline = new Deadline('no TLS handshake', limitMs, signal);
    await hearGreeting(client, () => serveTls(client, settings, deadline.signal), signal);
    return soFar;
  };
}
