import { formatEndpoint, type Endpoint } from '../address/endpoint.ts';
import { TnetError } from '../errors.ts';
import type { Connection } from '../net/connection.ts';
import type { Deadline } from '../net/deadline.ts';
import type { DialOptions } from './dial-options.ts';

type Kind = Endpoint['kind'];

/** An endpoint of a kind that dial() does not connect to itself. */
type OtherKind = Exclude<Kind, 'tcp' | 'tls' | 'udp' | 'unix' | 'fd'>;

type OfKind<Name extends Kind> = Extract<Endpoint, { kind: Name }>;

/**
 * Connects to an endpoint of one kind: all that dial() promises, except for `prove` and retrying. When it throws,
 * nothing stays open.
 */
export type DialKind<Name extends OtherKind> = (
  endpoint: OfKind<Name>,
  options: DialOptions,
  deadline: Deadline,
) => Promise<Connection>;

/** How each kind is connected to; loaded when an endpoint of the kind is used. */
const kinds: { readonly [Name in OtherKind]?: () => Promise<DialKind<Name>> } = {};

/** Why the others cannot be connected to. */
const refusals: Readonly<Partial<Record<OtherKind, string>>> = {
  stdio: 'standard input and output cannot be connected to',
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
  const message = refusals[endpoint.kind] ?? `cannot connect to ${endpoint.kind}`;
  throw new TnetError('TNET_E_UNSUPPORTED', message, { subject: formatEndpoint(endpoint) });
}
