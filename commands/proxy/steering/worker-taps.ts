import type { ConnectionTapListener, ConnectionTaps } from '../../../src/record/connection-taps.ts';
import { nowMicros } from '../../../src/record/record-format.ts';
import type { Dispatcher } from '../../../src/serve/workers/dispatcher.ts';
import type { TapNews, ToldWorker } from './worker-messages.ts';

interface WorkerTap {
  readonly worker: number;
  readonly listener: ConnectionTapListener;
  /** Called once, when the worker has said whether the connection can be tapped. */
  readonly answered: (isOpen: boolean) => void;
}

/** Taps the connections that workers serve. */
export class WorkerTaps implements ConnectionTaps {
  readonly #dispatcher: Pick<Dispatcher, 'tell' | 'workerOf'>;
  readonly #open = new Map<number, WorkerTap>();
  #last = 0;

  constructor(dispatcher: Pick<Dispatcher, 'tell' | 'workerOf'>) {
    this.#dispatcher = dispatcher;
  }

  async tap(id: number, listener: ConnectionTapListener, most: number): Promise<(() => void) | undefined> {
    const worker = this.#dispatcher.workerOf(id);
    if (worker === undefined) return undefined;
    const tap = ++this.#last;
    const { promise, resolve: answered } = Promise.withResolvers<boolean>();
    this.#open.set(tap, { worker, listener, answered });
    this.#tell(worker, { tell: 'tap', tap, id, most });
    if (!(await promise)) return undefined;
    return () => {
      if (this.#open.delete(tap)) this.#tell(worker, { tell: 'untap', tap });
    };
  }

  /** Takes what a worker says of a tap. */
  hear({ tap, ...news }: TapNews): void {
    const open = this.#open.get(tap);
    if (!open) return;
    const { worker, listener, answered } = open;
    switch (news.tell) {
      case 'opened':
        listener.opened(news.opened);
        return answered(true);
      case 'unknown':
        this.#open.delete(tap);
        return answered(false);
      case 'data': {
        const { direction, offset, atMicros } = news;
        const bytes = Buffer.from(news.base64, 'base64');
        listener.data({ direction, bytes, offset, atMicros });
        return this.#tell(worker, { tell: 'taken', tap, bytes: bytes.length });
      }
      case 'missed':
        return listener.missed(news.direction, news.bytes);
      case 'ended':
        return listener.ended(news.direction, news.atMicros);
      case 'closed':
        this.#open.delete(tap);
        return listener.closed(news.ending, news.atMicros);
    }
  }

  /** A worker is gone, and its connections are broken off. */
  gone(worker: number): void {
    for (const [tap, open] of this.#open) {
      if (open.worker !== worker) continue;
      this.#open.delete(tap);
      open.answered(false);
      open.listener.closed('aborted', nowMicros());
    }
  }

  #tell(worker: number, told: ToldWorker): void {
    this.#dispatcher.tell(worker, told);
  }
}
