import { withSignal } from '../host.ts';
import { formatHostPort, hasHost } from '../../../address/endpoint.ts';
import { findFailure } from '../../../dial/check.ts';
import type { DialOptions } from '../../../dial/dial-options.ts';
import { defaultHealthStatus, type PairValues } from '../pair.ts';
import { createDialOptions, type TargetDialing } from '../targets/upstream.ts';
import type { Member } from './balancer.ts';

/** How long a check may take: the time between two checks, within these bounds. */
const leastCheckMs = 1_000;
const longestCheckMs = 5_000;

export interface HealthOptions {
  readonly values: PairValues;
  readonly dialing: TargetDialing;
  /** Ends checks that are under way. */
  readonly signal: AbortSignal;
  /** Those that are checked at the moment. */
  readonly members: () => readonly Member[];
  /** A check has ended; without an error the target is ready. */
  readonly onChecked: (member: Member, error: unknown) => void;
}

/** Checks targets, each no more than once at a time. */
export class HealthChecks {
  readonly #options: HealthOptions;
  readonly #checking = new Set<Member>();

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /** Begins a check of each target that is not being checked. @param intervalMs the time until this is called again */
  checkAll(intervalMs: number): void {
    const limitMs = Math.min(Math.max(intervalMs, leastCheckMs), longestCheckMs);
    for (const member of this.#options.members()) void this.#check(member, limitMs);
  }

  /** Connects as a client would, TLS and its certificate included, asks what there is to ask, and closes again. */
  async #check(member: Member, limitMs: number): Promise<void> {
    if (this.#checking.has(member)) return;
    this.#checking.add(member);
    const { values, dialing, signal, onChecked } = this.#options;
    const { sendProxy, healthHttp } = values;
    const head =
      sendProxy && (await import('../../../dial/send-proxy-header.ts')).createLocalHeader(sendProxy);
    const host = { ...withSignal(dialing.host, signal), emit: () => undefined };
    const options = createDialOptions(
      { ...dialing, host, timeoutMs: limitMs },
      { head, tlsHost: member.host },
    );
    const error = await (healthHttp === undefined
      ? findFailure(member.endpoint, options)
      : this.#ask(member, healthHttp, options));
    this.#checking.delete(member);
    if (!signal.aborted) onChecked(member, error);
  }

  /** A WebSocket's server is asked as any server of HTTP. */
  async #ask(member: Member, path: string, options: DialOptions): Promise<unknown> {
    const { healthHost, healthStatus = defaultHealthStatus } = this.#options.values;
    const { endpoint } = member;
    const { timeoutMs = 0, signal, tls } = options;
    const host = healthHost ?? nameHost(member, tls !== undefined);
    const until = performance.now() + timeoutMs;
    const { askHttp, requireStatus } = await import('../../../dial/http-check.ts');
    const to = endpoint.kind === 'ws' ? { ...endpoint, kind: 'tcp' as const } : endpoint;
    return findFailure(to, {
      ...options,
      // What clients speak with it may be another version.
      tls: tls && { ...tls, alpn: undefined },
      async prove(connection) {
        const leftMs = Math.max(1, until - performance.now());
        requireStatus(healthStatus, await askHttp(connection, { path, host }, { timeoutMs: leftMs, signal }));
      },
    });
  }
}

/** A target as the Host header names it: without the port where that is the scheme's own. */
function nameHost({ endpoint, host }: Member, isSecure: boolean): string {
  if (!hasHost(endpoint)) return 'localhost';
  const { port } = endpoint;
  const named = formatHostPort(host ?? endpoint.host ?? 'localhost', port);
  return port === (isSecure ? 443 : 80) ? named.replace(/:\d+$/, '') : named;
}
