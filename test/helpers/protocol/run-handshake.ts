import { checkBuffered, describeError } from './codec-target.ts';

/** A handshake codec as the targets drive it. */
export interface Handshake<Step> {
  receive(chunk: Buffer): Step;
  readonly bufferedBytes: number;
}

/**
 * Feeds chunks until the end or the first error; what comes after the end is added to the rest, as the caller would
 * pass it on. Sends are joined, since only their order counts.
 * @param read takes a step apart: what to send, what to note, and the rest once it is over.
 * @param limitBytes what the codec may keep beside the last chunk.
 */
export function runHandshake<Step>(
  codec: Handshake<Step>,
  chunks: readonly Buffer[],
  limitBytes: number,
  read: (step: Step) => { send?: Buffer | undefined; notes?: readonly unknown[]; rest?: Buffer | undefined },
): unknown {
  const sends: Buffer[] = [];
  const notes: unknown[] = [];
  let rest: Buffer[] | undefined;
  for (const chunk of chunks) {
    if (rest) {
      rest.push(chunk);
      continue;
    }
    try {
      const step = read(codec.receive(chunk));
      if (step.send) sends.push(step.send);
      notes.push(...(step.notes ?? []));
      if (step.rest) rest = [step.rest];
    } catch (error) {
      const { reply = '', ...described } = describeError(error) as { reply?: string };
      return { error: described, sends: Buffer.concat(sends).toString('hex') + reply };
    }
    checkBuffered(codec.bufferedBytes, limitBytes + chunk.length);
  }
  return {
    sends: Buffer.concat(sends).toString('hex'),
    notes,
    rest: rest && Buffer.concat(rest).toString('hex'),
  };
}
