import type { Readable } from 'node:stream';
import { TnetError } from '../../errors.ts';
import { createPcapngFormat } from '../../record/pcapng-format.ts';
import { encodeStatistics } from '../../record/pcapng-blocks.ts';
import { formatEnd, nowMicros, type RecordedConnection } from '../../record/record-format.ts';
import type { ConnectionTapListener, ConnectionTaps } from '../../record/connection-taps.ts';
import type { OpenTap } from '../../record/live-taps.ts';
import { Feeds } from './feeds.ts';
import { formatSentEvent, sentPing } from './sent-events.ts';

/** How much may wait for a reader, in bytes: of a tap, which then misses some, and of a recording, which is cut off. */
const mostWaiting = { tap: 1024 * 1024, recording: 8 * 1024 * 1024 };

/** `up` is from the client to the target. */
const ways = { sent: 'up', received: 'down' } as const;

/** What is being read of single connections, each by one reader. */
export class TapFeeds {
  readonly #taps: ConnectionTaps;
  readonly #feeds = new Feeds('tap or record');

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
    const feed = this.#feeds.open({ most: mostWaiting.tap, ping: () => sentPing, read: tellMissed });
    const send = (event: object) => {
      tellMissed();
      feed.push(formatSentEvent(event));
    };
    return this.#tap(id, feed, mostWaiting.tap, {
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
        this.#feeds.end(feed);
      },
    });
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
    const ping = () => encodeStatistics(nowMicros());
    const feed = this.#feeds.open({ most: mostWaiting.recording, ping });
    const send = (bytes: Buffer) => {
      feed.push(bytes);
      if (feed.readableLength > mostWaiting.recording) feed.destroy();
    };
    let connection: RecordedConnection;
    await this.#tap(id, feed, mostWaiting.recording, {
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
        this.#feeds.end(feed);
      },
    });
    if (durationMs !== undefined) {
      const timer = setTimeout(() => this.#feeds.end(feed), durationMs).unref();
      feed.once('close', () => clearTimeout(timer));
    }
    return feed;
  }

  /** Ends all of them. */
  close(): void {
    this.#feeds.close();
  }

  /** @param most how many bytes may be under way to it */
  async #tap(id: number, feed: Readable, most: number, listener: ConnectionTapListener): Promise<Readable> {
    const stop = await this.#taps.tap(id, listener, most);
    if (!stop) {
      this.#feeds.stop(feed);
      throw new TnetError('TNET_E_UNKNOWN_NAME', 'no bytes of this connection pass here, or not yet', {
        subject: String(id),
      });
    }
    // Its reader may be gone by now.
    this.#feeds.whenOver(feed, stop);
    return feed;
  }
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
