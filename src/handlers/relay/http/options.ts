import type { SocketEnds } from '../../../dial/send-proxy-header.ts';
import type { Gate } from '../../../serve/greeting/gate.ts';
import type { Greeting } from '../../../serve/greeting/greeting.ts';
import type { ProxyHost } from '../host.ts';
import type { RequestRules } from '../request.ts';

export interface HttpFrontOptions {
  readonly requests: RequestRules;
  /** Undefined: anyone is served. */
  readonly gate: Gate | undefined;
  /** The longest body of a request. Undefined: no limit. */
  readonly maxBodyBytes: number | undefined;
  /** How long the head of a connection's first request may take, in milliseconds. */
  readonly headMs: number;
  /** Creates what is sent to a target first; see RelayOptions. */
  readonly createHead: ((client: SocketEnds, greeting: Greeting) => Buffer) | undefined;
  readonly host: ProxyHost;
}

/** How long a connection may wait for its next request, in milliseconds. */
export const keepAliveMs = 60_000;
