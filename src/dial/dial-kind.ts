import type { Endpoint } from '../address/endpoint.ts';
import type { Connection } from '../net/connection.ts';
import type { Deadline } from '../net/deadline.ts';
import type { DialOptions } from './dial-options.ts';

type Kind = Endpoint['kind'];

/** An endpoint of a kind that dial() does not connect to itself. */
export type OtherKind = Exclude<Kind, 'tcp' | 'tls' | 'udp' | 'unix' | 'fd'>;

export type OfKind<Name extends Kind> = Extract<Endpoint, { kind: Name }>;

/**
 * Connects to an endpoint of one kind: all that dial() promises, except for `prove` and retrying. When it throws,
 * nothing stays open.
 */
export type DialKind<Name extends OtherKind> = (
  endpoint: OfKind<Name>,
  options: DialOptions,
  deadline: Deadline,
) => Promise<Connection>;
