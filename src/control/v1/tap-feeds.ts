import { Readable } from 'node:stream';
import { TnetError } from '../../errors.ts';
import { createPcapngFormat } from '../../record/pcapng-format.ts';
import { encodeStatistics } from '../../record/pcapng-blocks.ts';
import { formatEnd, nowMicros, type RecordedConnection } from '../../record/record-format.ts';
import type { ConnectionTapListener, ConnectionTaps } from '../../record/connection-taps.ts';
import type { OpenTap } from '../../record/live-taps.ts';
import { Problem } from '../problem.ts';
import { formatSentEvent, pingMs, sentPing } from './sent-events.ts';

/** How much may wait for a reader, in bytes: of a tap, which then misses some, and of a recording, which is cut off. */
const mostWaiting = { tap: 1024 * 1024, recording: 8 * 1024 * 1024 };
const mostReaders = 32;

/** `up` is from the client to the target. */
const ways = { sent: 'up', received: 'down' } as const;

/** What is being read of single connections, each by one reader. */
export class TapFeeds {
  readonly #taps: ConnectionTaps;
  /** With what ends each: nothing is sent to it any more. */
  readonly #open = new Map<Readable, () => void>();

  constructor(taps: ConnectionTaps) {
    this.#taps = taps;
  }

  /**
   * What passes in a connection from now on, as Server-Sent Events. A reader that does not keep up misses some, and is
   * told how much. The caller destroys it.
   *
   * @throws Problem when there are too many, TnetError TNET_E_UNKNOWN_NAME
   */
  async open(id: number): Promise<Readable> {
    const missed = { up: 0, down: 0 };
    const tellMissed = () => {
      if (missed.up + missed.down === 0) return;
      feed.push(formatSentEvent({ event: 'missed', ...missed }));
      missed.up = missed.down = 0;
    };
    const feed = this.#createFeed(mostWaiting.tap, tellMissed);
    const send = (event: object) => {
      tellMissed();
      feed.push(formatSentEvent(event));
    };
    return this.#tap(
      id,
      { feed, ping: () => sentPing, most: mostWaiting.tap },
      {
        opened: (tap) => send(describe(tap)),
        missed(direction, bytes) {
          missed[ways[direction]] += bytes;
          if (feed.readableLength < mostWaiting.tap / 2) tellMissed();
        },
        data({ direction, bytes, offset, atMicros }) {
          const way = ways[direction];
          // Once it has missed some, it misses all until it has caught up.
          const limit = mostWaiting.tap / (missed.up + missed.down > 0 ? 2 : 1);
          if (feed.readableLength + bytes.length * 2 > limit) missed[way] += bytes.length;
          else
            send({
              ...{ event: 'data', direction: way, offset, atMs: atMicros / 1000 },
              base64: bytes.toString('base64'),
            });
        },
        ended: (direction, atMicros) =>
          send({ event: 'end', direction: ways[direction], atMs: atMicros / 1000 }),
        closed: (reason, atMicros) => {
          send({ event: 'close', reason, atMs: atMicros / 1000 });
          this.#end(feed);
        },
      },
    );
  }

  /**
   * What passes in a connection from now on until it is over, as a pcapng file. A reader that does not keep up is cut
   * off. The caller destroys it.
   *
   * @param durationMs it ends after that time as well. Default: it does not
   * @throws Problem when there are too many, TnetError TNET_E_UNKNOWN_NAME
   */
  async record(id: number, durationMs?: number): Promise<Readable> {
    const format = createPcapngFormat();
    const feed = this.#createFeed(mostWaiting.recording);
    const send = (bytes: Buffer) => {
      feed.push(bytes);
      if (feed.readableLength > mostWaiting.recording) feed.destroy();
    };
    let connection: RecordedConnection;
    await this.#tap(
      id,
      { feed, ping: () => encodeStatistics(nowMicros()), most: mostWaiting.recording },
      {
        opened(tap) {
          connection = describeLate(tap);
          send(Buffer.concat([format.begin(), format.opened(connection, nowMicros())]));
          for (const direction of tap.ended) send(format.ended(connection, direction, nowMicros()));
        },
        missed: () => feed.destroy(),
        data: (chunk) => send(format.data(connection, chunk)),
        ended: (direction, atMicros) => send(format.ended(connection, direction, atMicros)),
        closed: (ending, atMicros) => {
          send(format.closed(connection, ending, atMicros));
          this.#end(feed);
        },
      },
    );
    if (durationMs !== undefined) {
      const timer = setTimeout(() => this.#end(feed), durationMs).unref();
      feed.once('close', () => clearTimeout(timer));
    }
    return feed;
  }

  /** Ends all of them. */
  close(): void {
    for (const feed of this.#open.keys()) this.#end(feed);
  }

  #createFeed(highWaterMark: number, read = (): void => undefined): Readable {
    if (this.#open.size >= mostReaders)
      throw new Problem('TOO_MANY_REQUESTS', `at most ${mostReaders} may tap or record at a time`, {
        headers: { 'retry-after': '10' },
      });
    return new Readable({ read, highWaterMark });
  }

  async #tap(id: number, { feed, ping, most }: Fed, listener: ConnectionTapListener): Promise<Readable> {
    const pings = setInterval(() => feed.push(ping()), pingMs).unref();
    const tap: { stop?: () => void } = {};
    this.#open.set(feed, () => {
      tap.stop?.();
      clearInterval(pings);
    });
    feed.once('close', () => this.#stop(feed));
    const stop = await this.#taps.tap(id, listener, most);
    if (!stop) {
      this.#stop(feed);
      throw new TnetError('TNET_E_UNKNOWN_NAME', 'no bytes of this connection pass here, or not yet', {
        subject: String(id),
      });
    }
    tap.stop = stop;
    // Its reader may be gone by now.
    if (!this.#open.has(feed)) stop();
    return feed;
  }

  #end(feed: Readable): void {
    if (this.#stop(feed)) feed.push(null);
  }

  #stop(feed: Readable): boolean {
    this.#open.get(feed)?.();
    return this.#open.delete(feed);
  }
}

/** A stream that is filled, and what is sent in it now and then. */
interface Fed {
  readonly feed: Readable;
  readonly ping: () => string | Buffer;
  /** How many bytes may wait for its reader. */
  readonly most: number;
}

/** The first event of a tap. */
function describe({ connection, before, ended }: Omit<OpenTap, 'stop'>): object {
  const { id, local, remote, target, note } = connection;
  return {
    ...{ event: 'open', id, client: formatEnd(local), address: formatEnd(remote), target, note },
    offsets: { up: before.sent, down: before.received },
    ended: ended.map((direction) => ways[direction]),
  };
}

/** A recording cannot show what passed before it: it says how much that was. */
function describeLate({ connection, before: { sent, received } }: Omit<OpenTap, 'stop'>): RecordedConnection {
  if (sent + received === 0) return connection;
  const late = `recorded after ${sent} bytes from the client and ${received} from the target`;
  return { ...connection, note: connection.note === undefined ? late : `${connection.note}; ${late}` };
}
