import { setTimeout as delay } from 'node:timers/promises';
import type { Socket } from '../../net/index.ts';
import { waitAcknowledged } from '../../net/tuning.ts';
import { InputOffer, type InputClaim } from './input-offer.ts';
import type { Duplex, Readable, Writable } from 'node:stream';
import { escapeText, showLine } from '../../transform/escape-controls.ts';
import { LineLabel } from '../../transform/lines.ts';
import { Broadcast, type Branch } from './broadcast.ts';
import type { Ending } from '../../flow/flow.ts';
import { startFlow } from '../../flow/start-flow.ts';
import { socketOf, type Connection } from '../../net/connection.ts';
import { releasePlace } from '../../net/server-state.ts';

/** The first client that takes it gets the input; the output gets what comes from all of them. */
export function createPlainRoom(
  { input, output }: Pick<Seat, 'input' | 'output'>,
  signal: AbortSignal,
  close: () => void,
): Room {
  const offer = input && new InputOffer(input);
  const closeInput = () => (input?.destroyed ? undefined : close());
  // A server that is ending does not wait for input that no client has taken.
  signal.addEventListener('abort', () => (offer?.isTaken ? undefined : closeInput()), { once: true });
  return {
    join(_id, _remote, client) {
      // A UDP peer has no end by which a mere check could be recognized.
      const socket = socketOf(client);
      const claim = socket ? offer?.offer(watchTaking(socket)) : undefined;
      const claimed = socket ? claim?.stream : offer?.takeWhole();
      const leave = () => {
        if (claimed && offer?.isTakenBy(claimed)) closeInput();
      };
      return { input: claimed, output, receiveTransforms: [], claim, leave };
    },
  };
}

/** A function that waits until the client's system has what is written from now on. False: it is gone. */
function watchTaking(client: Socket): () => Promise<boolean> {
  const { bytesWritten } = client;
  return async () => {
    for (let waitMs = 1; client.bytesWritten === bytesWritten; waitMs = Math.min(waitMs * 2, 50)) {
      if (client.destroyed) return false;
      await delay(waitMs);
    }
    const answer = await waitAcknowledged(client);
    return answer === 'acknowledged' || answer === 'unknown';
  };
}

/** A client's place among the clients of a server: what it gets, and where its bytes go. */
export interface Seat {
  readonly input: Readable | undefined;
  readonly output: Writable | undefined;
  readonly receiveTransforms: readonly Duplex[];
  /** Set when what the client gets comes from others: destroyed with TNET_E_OVERRUN when the client is too slow. */
  readonly branch?: Branch;
  /** Set when the input is this client's once it has shown that it stays. */
  readonly claim?: InputClaim;
  /**
   * Called when the client has ended its side. Default: it goes on getting what the others get, as long as it is
   * there.
   */
  clientEnded?(): void;
  /** Gives the place up, after the session. */
  leave(): void;
}

/** What joins the clients of one server, and the local input and output to them. */
export interface Room {
  join(id: number, remote: string, client: Duplex): Seat;
}

export interface RoomOptions {
  /** What the local side says; absent: nothing. */
  readonly input: Readable | undefined;
  /** Where the clients' bytes go, in a room that is not a broker; in a chat, what the local side hears. */
  readonly output: Writable | undefined;
  /** Stops the reading of the input. */
  readonly signal: AbortSignal;
  /** Called with how the reading of the input ended. */
  readonly onInputEnded?: (ending: Ending) => void;
  /** Called when the output of a chat takes no more. */
  readonly onOutputFailed?: (ending: Ending) => void;
}

/** Every client gets what comes from the input, and the output gets what comes from every client. */
export function createBroadcastRoom(options: RoomOptions): Room {
  const { input, output } = options;
  const broadcast = new Broadcast({ waitForBranch: true });
  if (input) void sayInput(broadcast, options).then(() => broadcast.end());
  return {
    join() {
      const branch = input && broadcast.addBranch();
      return { input: branch, output, receiveTransforms: [], branch, leave: () => branch?.destroy() };
    },
  };
}

/**
 * Everything from each client and from the local input goes to all the others, byte for byte. A client that ends
 * its side leaves after what waits for it is delivered. Source: ncat(1), --broker.
 */
export function createBrokerRoom(options: RoomOptions): Room {
  const broadcast = new Broadcast();
  void sayInput(broadcast, options);
  return {
    join() {
      const branch = broadcast.addBranch();
      return {
        input: branch,
        output: broadcast.createInput(branch),
        receiveTransforms: [],
        branch,
        clientEnded: () => branch.finish(),
        leave: () => branch.destroy(),
      };
    },
  };
}

/**
 * Like a broker, but in whole lines that begin with `<user N>`, without control characters, and with an
 * `<announce>` line for every client that comes or goes. The local side is user 0. Source: ncat(1), --chat.
 */
export function createChatRoom(options: RoomOptions): Room {
  const broadcast = new Broadcast();
  const present = new Map<number, string>();
  const host = hearAll(broadcast, options);
  void sayInput(broadcast, options, [createChatLabel(0)], host);
  const announce = (text: string) => broadcast.send(Buffer.from(`<announce> ${text}\n`));
  return {
    join(id, client) {
      const remote = escapeText(client);
      announce(`user ${id} joined from ${remote}`);
      const branch = broadcast.addBranch();
      const others = [...present].map(([user, from]) => `user ${user} from ${from}`).join(', ');
      present.set(id, remote);
      branch.offer(
        Buffer.from(`<announce> you are user ${id}; here: ${others === '' ? 'nobody else' : others}\n`),
      );
      const part = () => {
        if (present.delete(id)) announce(`user ${id} left`);
      };
      return {
        input: branch,
        output: broadcast.createInput(branch),
        receiveTransforms: [createChatLabel(id)],
        branch,
        // A client that can say no more has left the chat, and gets what was said until then.
        clientEnded() {
          branch.finish();
          part();
        },
        leave() {
          branch.destroy();
          part();
        },
      };
    },
  };
}

function createChatLabel(id: number): LineLabel {
  return new LineLabel(`<user ${id}> `, { show: showLine });
}

/** Gives what all the others say to the local output. */
function hearAll(broadcast: Broadcast, { output, signal, onOutputFailed }: RoomOptions): Branch | undefined {
  if (!output) return undefined;
  const branch = broadcast.addBranch({ isAside: true });
  const flow = startFlow({ source: branch, sink: output, onEnd: 'keep-open' });
  signal.addEventListener('abort', () => flow.finish(), { once: true });
  void flow.ended.then((ending) => {
    branch.destroy();
    if (ending.error) onOutputFailed?.(ending);
  });
  return branch;
}

/**
 * Gives the local input to every branch except that of the local output, and settles when it has ended or there is
 * none.
 */
async function sayInput(
  broadcast: Broadcast,
  { input, signal, onInputEnded }: RoomOptions,
  transforms: readonly Duplex[] = [],
  own?: Branch,
): Promise<void> {
  if (!input) return;
  const flow = startFlow({ source: input, sink: broadcast.createInput(own), transforms, onEnd: 'keep-open' });
  signal.addEventListener('abort', () => flow.stop('aborted'), { once: true });
  onInputEnded?.(await flow.ended);
}

/**
 * Clients that have ended their side. They may only have half-closed, and are sent to as long as they are there, or
 * they may have left. Their places go to the next clients, but no more than `most` are kept besides those: the
 * oldest has to go.
 */
export class HalfClosedClients {
  readonly #most: number;
  readonly #clients = new Map<Connection, AbortController>();

  constructor(most = Infinity) {
    this.#most = most;
  }

  add(client: Connection, stop: AbortController): void {
    const socket = socketOf(client);
    if (socket) releasePlace(socket);
    this.#clients.set(client, stop);
    const [oldest] = this.#clients.values();
    if (this.#clients.size > this.#most) oldest?.abort();
  }

  delete(client: Connection): void {
    this.#clients.delete(client);
  }
}
