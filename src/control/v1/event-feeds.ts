import type { Readable } from 'node:stream';
import type { Steered } from '../steered.ts';
import { Feeds } from './feeds.ts';
import { formatSentEvent, sentPing } from './sent-events.ts';

/** How much may wait for a reader before it is cut off, in bytes. */
const mostWaiting = 1024 * 1024;

/** The streams of events that are being read, each for one reader. */
export class EventFeeds {
  readonly #steered: Pick<Steered, 'listen'>;
  readonly #feeds = new Feeds('read events');

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
    const feed = this.#feeds.open({ most: mostWaiting, ping: () => sentPing });
    const stop = this.#steered.listen((event) => {
      feed.push(formatSentEvent({ time: new Date().toISOString(), ...event }));
      if (feed.readableLength > mostWaiting) feed.destroy();
    });
    this.#feeds.whenOver(feed, stop);
    // What makes the answer begin.
    feed.push(': these are the events of tnet proxy --json\n\n');
    return feed;
  }

  /** Ends all of them. */
  close(): void {
    this.#feeds.close();
  }
}
