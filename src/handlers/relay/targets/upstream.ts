import type { Connection } from '../../../net/connection.ts';
import type { DialOptions } from '../../../dial/dial-options.ts';
import { dial } from '../../../dial/dial.ts';
import { formatTargetEndpoint, type Endpoint } from '../../../address/endpoint.ts';
import { isForeignName, refuseNumericForm } from '../../../address/host-rules.ts';
import { TnetError } from '../../../errors.ts';
import { findCandidates, type Candidate } from '../../../net/candidates.ts';
import { failureFields } from '../../../report/sentences.ts';
import type { BegunAttempt } from './race.ts';
import type { JudgeTarget } from './rules.ts';
import type { TargetState } from './target-settings.ts';
import type { ProxyHost } from '../host.ts';

/** How a connection to a target went, which over UDP shows only after the dial. */
export interface Experience {
  readonly answered: boolean;
  readonly refused: boolean;
}

/**
 * A connection to a target, or its replacement. The caller closes the socket, and calls `release` once it is over.
 */
export interface OpenUpstream {
  readonly socket: Connection;
  readonly target: string;
  readonly release?: (experience: Experience) => void;
}

/** The client that asks for a target. */
export interface UpstreamRequest {
  /** The connection's number, for reports. */
  readonly id: number;
  /** The client's address without its port. */
  readonly clientHost: string;
  /** What the listener that accepted it has bound, as it is reported. */
  readonly listener: string;
  /** What is sent to the target before anything else, including TLS. */
  readonly head?: Buffer | undefined;
  /** The client in the environment of a target that is a program. */
  readonly describe?: (() => Promise<Readonly<Record<string, string>>>) | undefined;
}

/** How targets are connected to. */
export interface TargetDialing {
  readonly host: ProxyHost;
  /** Limit for DNS, connecting, proxies and TLS together, in milliseconds. */
  readonly timeoutMs: number;
  /** The options of every connection: proxies, source, socket options, TLS. Default: none of them. */
  readonly options?: DialOptions;
}

/**
 * A target chosen for a client before it is dialled, for a caller that dials it elsewhere and reports how that
 * went. Either it accepted, and is released once the connection is over; or it failed; or the client goes on to
 * others.
 */
export interface ChosenTarget {
  /** As it is reported. */
  readonly name: string;
  readonly endpoint: Extract<Endpoint, { kind: 'tcp' | 'unix' }>;
  /** Numeric. */
  readonly address: { readonly address: string; readonly port: number } | { readonly path: string };
  taken(): void;
  release(): void;
  /** Reports that it did not accept the connection, and that no other is tried. */
  failed(error: Error, tookMs: number): void;
  /**
   * Connects to another target in parallel with the attempt, or after it. Like open(). Undefined: there is no
   * other.
   */
  readonly goOn: ((begun: BegunAttempt) => Promise<OpenUpstream | undefined>) | undefined;
}

/** Where a pair's clients are connected to. */
export interface Upstream {
  /** Its targets, in their order: those that its names currently resolve to. None where a recording is the target. */
  readonly targets: readonly TargetState[];
  /**
   * Whether new clients may be given to a target. Connections to it go on.
   *
   * @param address as it is reported, or as it was written: then every address that the name resolves to is meant
   * @returns false: there is no such target
   */
  setEnabled(address: string, isEnabled: boolean): boolean;
  /** Chooses what open() would dial first. Undefined when that is not a single address yet: then call open(). */
  choose?(request: UpstreamRequest): ChosenTarget | Promise<ChosenTarget | undefined> | undefined;
  /** Connects to a target. Undefined when none accepted; then each one's failure has been reported. */
  open(request: UpstreamRequest): Promise<OpenUpstream | undefined>;
  /** Ends its checks and timers. Connections go on. */
  close(): void;
}

/** The options of one connection to a target. */
export interface ConnectOptions extends Pick<DialOptions, 'tlsHost'>, Pick<UpstreamRequest, 'describe'> {
  /** What is sent to the target before anything else. */
  readonly head?: Buffer | undefined;
  /** Judges the target. Default: any may be connected to. */
  readonly judge?: JudgeTarget | undefined;
  /** What the client's listener has bound: a proxy on the way must not lead back to it. */
  readonly listener?: string | undefined;
}

/** An upstream of one target. */
export function createDirectUpstream(target: Endpoint, dialing: TargetDialing): Upstream {
  const { host } = dialing;
  const address = formatTargetEndpoint(target);
  const state = { address, isEnabled: true, isUp: undefined, connections: 0, settings: {} };
  return {
    get targets() {
      return [{ ...state }];
    },
    setEnabled(name, isEnabled) {
      if (name !== address) return false;
      state.isEnabled = isEnabled;
      return true;
    },
    choose: chooserOf(target, dialing, state),
    async open({ id, head, listener, describe }) {
      state.connections++;
      try {
        if (!state.isEnabled) throw disabledError();
        const judge = judgeTarget(dialing, listener);
        const own = { head, judge, listener, describe };
        const socket = await connectTarget(target, dialing, own);
        return { socket, target: address, release: () => state.connections-- };
      } catch (error) {
        state.connections--;
        if (!host.signal.aborted) host.fail(address, error, id);
        return undefined;
      }
    },
    close: () => undefined,
  };
}

/** The error for a client whose targets have all been disabled. */
export function disabledError(): TnetError {
  return new TnetError('TNET_E_DISABLED', 'new clients are kept from it: it has been disabled');
}

/** For a name: its address, if it has only one. Clients that arrive while it is looked up get the same answer. */
function chooserOf(
  target: Endpoint,
  dialing: TargetDialing,
  state: { readonly isEnabled: boolean; connections: number },
): Upstream['choose'] {
  if (target.kind !== 'tcp' || !isForeignName(target.host)) return undefined;
  const { host, port } = target;
  const { family } = dialing.host;
  let lookup: Promise<Candidate[] | undefined> | undefined;
  const lookUp = async () => {
    try {
      refuseNumericForm(host ?? '');
      return await findCandidates({ host, family });
    } catch {
      return undefined; // open() reports why
    } finally {
      lookup = undefined;
    }
  };
  return async ({ id, listener }) => {
    if (!state.isEnabled) return undefined; // open() reports why
    lookup ??= lookUp();
    const [found, ...others] = (await lookup) ?? [];
    if (!found || others.length > 0) return undefined;
    const address = { address: found.address, port };
    if (judgeTarget(dialing, listener)?.({ transport: 'stream', ...address })) return undefined;
    const name = formatTargetEndpoint(target);
    const release = () => {
      state.connections--;
    };
    state.connections++;
    return {
      ...{ name, endpoint: target, address },
      taken: () => undefined,
      release,
      failed(error) {
        release();
        dialing.host.fail(name, error, id);
      },
      goOn: undefined,
    };
  };
}

/**
 * Keeps the clients of a listener from being led back to it; what a proxy connects to is not judged against our
 * addresses.
 */
export function judgeTarget({ host, options }: TargetDialing, listener: string): JudgeTarget | undefined {
  return options?.proxies ? undefined : judgeLoops(host, listener);
}

/** Keeps the clients of a listener from being led back to it. */
function judgeLoops({ loops }: ProxyHost, listener: string): JudgeTarget | undefined {
  return loops && ((destination) => loops.judge(listener, destination));
}

/**
 * Connects to a target. When the process has no free descriptor, it waits for one: this client has been accepted,
 * and another one will leave.
 *
 * @throws as dial() does
 */
export async function connectTarget(
  target: Endpoint,
  dialing: TargetDialing,
  own: ConnectOptions,
): Promise<Connection> {
  const options = createDialOptions(dialing, own);
  if (target.kind !== 'exec' && target.kind !== 'pty') return dial(target, options);
  const environment = await own.describe?.();
  return dial(target, { ...options, local: { ...options.local, ...(environment && { environment }) } });
}

/** The options with which a target is dialled. */
export function createDialOptions(
  { host, timeoutMs, options }: TargetDialing,
  { head, tlsHost, judge, listener }: ConnectOptions,
): DialOptions {
  const { family, numericOnly, signal, loops } = host;
  const judgeProxy = options?.proxies && listener !== undefined ? judgeLoops(host, listener) : undefined;
  return {
    ...options,
    ...{ family, numericOnly, signal, timeoutMs, head, tlsHost },
    tune(socket) {
      loops?.connections.add(socket);
      options?.tune?.(socket);
    },
    awaitsDescriptor: true,
    judge: (judge ?? judgeProxy) && ((to) => (to.isProxy ? judgeProxy : judge)?.(to)),
    observer: {
      attempt: (address) => host.emit({ event: 'attempt', address }),
      attemptFailed: (address, error) =>
        host.emit({ event: 'attempt-failed', address, ...failureFields(error) }),
    },
  };
}
