import { Readable } from 'node:stream';
import { Problem } from '../problem.ts';
import { pingMs } from './sent-events.ts';

const mostReaders = 32;

export interface FeedOptions {
  /** How many bytes may wait for its reader: its high-water mark. Who fills it keeps to that. */
  readonly most: number;
  /** What is sent now and then: a reader that is gone is noticed when something is sent to it. */
  readonly ping: () => string | Buffer;
  /** The reader has taken something. */
  readonly read?: () => void;
}

/** Streams that are filled as something happens, each for one reader. */
export class Feeds {
  readonly #what: string;
  /** With what is called when nothing is sent to it any more. */
  readonly #open = new Map<Readable, (() => void)[]>();

  /** @param what readers do, for a person */
  constructor(what: string) {
    this.#what = what;
  }

  /**
   * The caller destroys it, or ends it by end().
   *
   * @throws Problem when there are too many
   */
  open({ most, ping, read = () => undefined }: FeedOptions): Readable {
    if (this.#open.size >= mostReaders)
      throw new Problem('TOO_MANY_REQUESTS', `at most ${mostReaders} may ${this.#what} at a time`, {
        headers: { 'retry-after': '10' },
      });
    const feed = new Readable({ read, highWaterMark: most });
    const pings = setInterval(() => feed.push(ping()), pingMs).unref();
    this.#open.set(feed, [() => clearInterval(pings)]);
    feed.once('close', () => this.stop(feed));
    return feed;
  }

  /** Calls a function once nothing is sent to it any more; at once if that is so already. */
  whenOver(feed: Readable, over: () => void): void {
    const all = this.#open.get(feed);
    if (all) all.push(over);
    else over();
  }

  /** Ends it for its reader, behind what has been sent. */
  end(feed: Readable): void {
    if (this.stop(feed)) feed.push(null);
  }

  /** Sends nothing any more. @returns whether it was sent something until now */
  stop(feed: Readable): boolean {
    for (const over of this.#open.get(feed) ?? []) over();
    return this.#open.delete(feed);
  }

  /** Ends all of them. */
  close(): void {
    for (const feed of this.#open.keys()) this.end(feed);
  }
}
