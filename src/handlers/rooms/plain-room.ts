import { setTimeout as delay } from 'node:timers/promises';
import { Socket } from '../../net/index.ts';
import { waitAcknowledged } from '../../net/tuning.ts';
import { InputOffer } from './input-offer.ts';
import type { Room, Seat } from './rooms.ts';

/** The first client that takes it gets the input; the output gets what comes from all of them. */
export function createPlainRoom(
  { input, output }: Pick<Seat, 'input' | 'output'>,
  signal: AbortSignal,
  close: () => void,
): Room {
  const offer = input && new InputOffer(input);
  const closeInput = () => (input?.destroyed ? undefined : close());
  // A server that is to end does not wait for what nobody has taken.
  signal.addEventListener('abort', () => (offer?.isTaken ? undefined : closeInput()), { once: true });
  return {
    join(_id, _remote, client) {
      // A peer of UDP has no end by which it could be told that it only looks.
      const claim = client instanceof Socket ? offer?.offer(watchTaking(client)) : undefined;
      const claimed = client instanceof Socket ? claim?.stream : offer?.takeWhole();
      const leave = () => {
        if (claimed && offer?.isTakenBy(claimed)) closeInput();
      };
      return { input: claimed, output, receiveTransforms: [], claim, leave };
    },
  };
}

/** What waits until the client's system has what is written from now on. False: it is gone. */
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
