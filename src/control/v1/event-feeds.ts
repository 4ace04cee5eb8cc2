import { Readable } from 'node:stream';
import { Problem } from '../problem.ts';
import type { Steered } from '../steered.ts';
import { formatSentEvent, pingMs, sentPing } from './sent-events.ts';

/** How much may wait for a reader before it is cut off, in bytes. */
const mostWaiting = 1024 * 1024;
const mostReaders = 32;

/** The streams of events that are being read, each for one reader. */
export class EventFeeds {
  readonly #steered: Pick<Steered, 'listen'>;
  readonly #open = new Set<Readable>();

  constructor(steered: Pick<Steered, 'listen'>) {
    this.#steered = steered;
  }

  /**
   * Server-Sent Events: each an object as --json prints it. A reader that does not keep up is cut off. The caller
   * destroys it.
   *
   * @throws Problem when there are too many
   */
  open(): Readable {
    if (this.#open.size >= mostReaders)
      throw new Problem('TOO_MANY_REQUESTS', `at most ${mostReaders} may read events at a time`, {
        headers: { 'retry-after': '10' },
      });
    const feed = new Readable({ read: () => undefined, highWaterMark: mostWaiting });
    const send = (text: string) => {
      feed.push(text);
      if (feed.readableLength > mostWaiting) feed.destroy();
    };
    const stop = this.#steered.listen((event) =>
      send(formatSentEvent({ time: new Date().toISOString(), ...event })),
    );
    const pings = setInterval(() => send(sentPing), pingMs).unref();
    this.#open.add(feed);
    feed.once('close', () => {
      stop();
      clearInterval(pings);
      this.#open.delete(feed);
    });
    // What makes the answer begin.
    send(': these are the events of tnet proxy --json\n\n');
    return feed;
  }

  /** Ends all of them. */
  close(): void {
    for (const feed of this.#open) feed.push(null);
  }
}
