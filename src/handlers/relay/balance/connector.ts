import { leaveInOrder, type Connection } from '../../../net/connection.ts';
import { errorCode, formatLimit, TnetError } from '../../../errors.ts';
import { withSignal } from '../host.ts';
import { raceTargets, staggerMs, type BegunAttempt } from '../targets/race.ts';
import {
  connectTarget,
  disabledError,
  judgeTarget,
  type Experience,
  type OpenUpstream,
  type TargetDialing,
  type UpstreamRequest,
} from '../targets/upstream.ts';
import { hasRoom, isUsable, type Balancer, type Member } from './balancer.ts';
import { WaitingLine } from './waiting-line.ts';

export interface ConnectorOptions {
  readonly balancer: Balancer;
  readonly dialing: TargetDialing;
  /** All targets, for the errors of clients that get none. */
  readonly name: string;
  /** Ends attempts that were overtaken. */
  readonly closing: AbortSignal;
  /** A target is used again, or left out. */
  readonly tell: (member: Member, isUp: boolean) => void;
  /** A target is left out because it refused clients. */
  readonly onEjected: () => void;
}

/** What a race shares with the others for the same client. */
interface RaceState {
  /** On performance.now()'s clock. */
  readonly deadline: number;
  /** Takes the targets that are tried. */
  readonly tried: Set<Member>;
  readonly begun: BegunAttempt | undefined;
}

/** Connects clients to the members of a balancer, and tells it how that went. */
export class Connector {
  readonly #options: ConnectorOptions;
  readonly #line: WaitingLine;

  constructor(options: ConnectorOptions) {
    this.#options = options;
    this.#line = new WaitingLine(() => options.balancer.hasFree(performance.now()));
  }

  /** Whether clients wait for a target with room. */
  get isAwaited(): boolean {
    return !this.#line.isEmpty;
  }

  /**
   * Connects to the first target that accepts. Where there is none with room, the client waits for one: each target
   * gets it once at most.
   */
  async connect(
    request: UpstreamRequest,
    deadline: number,
    begun?: { readonly members: readonly Member[]; readonly attempt: BegunAttempt },
  ): Promise<OpenUpstream | undefined> {
    const { balancer, name, dialing } = this.#options;
    const { signal, fail } = dialing.host;
    const tried = new Set<Member>();
    const race = (members: readonly Member[], attempt?: BegunAttempt) => {
      if (attempt && members[0]) tried.add(members[0]);
      return this.#race(members, request, { deadline, tried, begun: attempt });
    };
    // What has room is taken at once: the race begins before this returns.
    const start = () => {
      const members = balancer.order(request.clientHost, performance.now(), tried);
      if (members.length > 0) return { opening: race(members) };
      return balancer.hasFull(tried) ? undefined : 'nobody';
    };
    let opened = begun && (await race(begun.members, begun.attempt));
    while (!opened && !signal.aborted) {
      const started = await this.#line.enter(start, { deadline, signal, hasBeenIn: tried.size > 0 });
      if (typeof started === 'object') opened = await started.opening;
      else {
        if (started === undefined && !dialing.host.signal.aborted)
          fail(name, this.#noRoomError(), request.id);
        if (started === 'nobody' && tried.size === 0) fail(name, this.#nobodyError(), request.id);
        return undefined;
      }
    }
    return opened;
  }

  #noRoomError(): TnetError {
    const limit = formatLimit(this.#options.dialing.timeoutMs);
    return new TnetError('TNET_E_TIMEOUT', `no target had room for another connection within ${limit}`);
  }

  #nobodyError(): Error {
    return this.#options.balancer.members.length > 0 ? disabledError() : noAddressError();
  }

  async #race(
    members: readonly Member[],
    { id, head, listener, describe }: UpstreamRequest,
    { deadline, tried, begun }: RaceState,
  ): Promise<OpenUpstream | undefined> {
    const { dialing, closing } = this.#options;
    const { host } = dialing;
    const judge = judgeTarget(dialing, listener);
    const winner = await raceTargets<Member>({
      begun,
      targets: members,
      isLastResort: (member) =>
        !isUsable(member, performance.now()) || member.settings.backup !== members[0]?.settings.backup,
      isSkipped: (member) => !member.isEnabled || !hasRoom(member),
      connect: (member, signal) => {
        tried.add(member);
        member.open++;
        const limits = {
          host: withSignal(host, signal),
          timeoutMs: Math.max(1, Math.ceil(deadline - performance.now())),
        };
        return connectTarget(
          member.endpoint,
          { ...dialing, ...limits },
          { head, tlsHost: member.host, judge, listener, describe },
        );
      },
      onFailed: (member, error, tookMs) => this.failed(member, error, { id, tookMs }),
      onOvertaken: (member, over) => {
        member.doubts++;
        void over.then(() => {
          member.doubts--;
          this.#line.wake();
        });
      },
      onLate: (member, connection) => {
        this.taken(member);
        this.#releaseAfter(connection, member);
        void leaveInOrder(connection);
      },
      isStopped: () => host.signal.aborted,
      closing,
    });
    if (!winner) return undefined;
    const { target: member, connection } = winner;
    const isDatagram = member.endpoint.kind === 'udp';
    // With UDP the dial shows nothing.
    if (!isDatagram) this.taken(member);
    const release = ({ answered, refused }: Experience) => {
      if (isDatagram && answered) this.taken(member);
      if (isDatagram && refused) this.#refused(member);
      this.#releaseAfter(connection, member);
    };
    return { socket: connection, target: member.name, release };
  }

  /** Its place is free once the connection is closed, so that the target never has one more than it may have. */
  #releaseAfter(connection: Connection, member: Member): void {
    if (connection.closed) this.released(member);
    else connection.once('close', () => this.released(member));
  }

  /** A connection to it, or an attempt, is over. */
  released(member: Member): void {
    member.open--;
    this.#line.wake();
  }

  /** A client was connected to it. */
  taken(member: Member): void {
    const { balancer, tell } = this.#options;
    if (balancer.taken(member, performance.now())) tell(member, true);
  }

  /** An attempt to connect to it has failed. */
  failed(member: Member, error: unknown, { id, tookMs }: { id: number; tookMs: number }): void {
    const { host } = this.#options.dialing;
    if (!host.signal.aborted) {
      host.fail(member.name, error, id);
      // An attempt that began late and ran out of the client's time says little about its target.
      this.#refused(member, errorCode(error) === 'TNET_E_TIMEOUT' && tookMs >= staggerMs);
    }
    this.released(member);
  }

  #refused(member: Member, isSilent = false): void {
    const { balancer, tell, onEjected } = this.#options;
    if (!balancer.refused(member, performance.now(), isSilent)) return;
    tell(member, false);
    onEjected();
    this.wake();
  }

  /** There may be another target for those that wait. */
  wake(): void {
    this.#line.wake();
  }
}

function noAddressError(): Error {
  return Object.assign(new Error('there is no target: its name has no address at the moment'), {
    code: 'ENOTFOUND',
  });
}
