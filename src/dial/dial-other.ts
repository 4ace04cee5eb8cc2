import { formatEndpoint } from '../address/endpoint.ts';
import { TnetError } from '../errors.ts';
import type { Connection } from '../net/connection.ts';
import type { Deadline } from '../net/deadline.ts';
import type { DialKind, OfKind, OtherKind } from './dial-kind.ts';
import type { DialOptions } from './dial-options.ts';

export type { DialKind } from './dial-kind.ts';

/** How each kind is connected to; loaded when an endpoint of the kind is used. */
const kinds: { readonly [Name in OtherKind]?: () => Promise<DialKind<Name>> } = {
  exec: async () => (await import('./local/program-end.ts')).dialProgram,
  pty: async () => (await import('./local/terminal-end.ts')).dialTerminal,
  serial: async () => (await import('./local/serial-end.ts')).dialSerial,
  file: async () => (await import('./local/file-end.ts')).dialFile,
  stdio: async () => (await import('./local/stdio-end.ts')).dialStdio,
  'unix-dgram': async () => (await import('./dial-messages.ts')).dialUnixDatagram,
  'unix-seqpacket': async () => (await import('./dial-messages.ts')).dialUnixPackets,
  vsock: async () => (await import('./dial-messages.ts')).dialVsock,
};

/**
 * Connects to an endpoint that is neither TCP, TLS, UDP nor a Unix stream socket.
 *
 * @throws what dial() throws, or TnetError TNET_E_UNSUPPORTED for a kind that cannot be connected to
 */
export async function dialOther(
  endpoint: OfKind<OtherKind>,
  options: DialOptions,
  deadline: Deadline,
): Promise<Connection> {
  const load = kinds[endpoint.kind] as (() => Promise<DialKind<OtherKind>>) | undefined;
  if (load) return (await load())(endpoint, options, deadline);
  const message = `cannot connect to ${endpoint.kind}`;
  throw new TnetError('TNET_E_UNSUPPORTED', message, { subject: formatEndpoint(endpoint) });
}
