import { pipeline } from 'node:stream';
import type { Connection } from '../../src/net/connection.ts';
import { TnetError } from '../../src/errors.ts';
import { CrlfOut } from '../../src/transform/crlf.ts';
import { Dialogue, type Step } from '../../src/transform/dialogue.ts';
import { describeMiss, type DialogueFlags } from './dialogue.ts';
import { sendsCrlf, type SessionFlags } from '../session-run.ts';

export interface Readiness {
  readonly steps: readonly Step[];
  readonly options: DialogueFlags & SessionFlags;
  /** The limit for all steps together; each has that of --step-timeout. */
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal;
}

/**
 * Goes through the steps of --expect and --send on a connection that is only to show that its server is ready.
 *
 * @throws TnetError TNET_E_EXPECT or TNET_E_TIMEOUT, or the connection's error; then it is closed
 */
export async function runSteps(
  socket: Connection,
  { steps, options, timeoutMs, signal }: Readiness,
): Promise<void> {
  const outcome = Promise.withResolvers<undefined>();
  const fail = (error: unknown) => outcome.reject(error);
  const onAbort = () => fail(signal.reason);
  const onTimeout = () => fail(new TnetError('TNET_E_TIMEOUT', `no answer within ${timeoutMs ?? 0} ms`));
  const timer = timeoutMs === undefined ? undefined : setTimeout(onTimeout, timeoutMs);
  signal.addEventListener('abort', onAbort, { once: true });
  const dialogue = new Dialogue(steps, {
    stepMs: options.stepTimeout,
    onDone: () => outcome.resolve(undefined),
    onMiss: (miss) => fail(describeMiss(miss, options.stepTimeout)),
  });
  const toSend = sendsCrlf(options) ? pipeline(dialogue.gate, new CrlfOut(), () => undefined) : dialogue.gate;
  let lastWrite = Promise.resolve();
  toSend.on('data', (bytes: Buffer) => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    lastWrite = promise.then(() => undefined);
    socket.write(bytes, (error) => {
      if (error) fail(error);
      resolve(undefined);
    });
  });
  socket.on('error', fail);
  socket.on('data', (bytes: Buffer) => dialogue.tap.write(bytes));
  socket.on('end', () => dialogue.tap.end());
  dialogue.tap.resume();
  try {
    dialogue.start();
    await outcome.promise;
    // What the last step sends has left the transforms a turn later.
    await new Promise((resolve) => setImmediate(resolve));
    await lastWrite;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
