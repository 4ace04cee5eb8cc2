import type { Readable } from 'node:stream';

/** What a stream has given so far, and a wait for more. */
export interface Reading {
  readonly text: () => string;
  /**
   * Waits until the text so far matches, and gives the match. Rejects when the stream ends without it, and before AVA would
   * give up, so that what has come instead is seen.
   */
  readonly until: (pattern: RegExp) => Promise<RegExpExecArray>;
}

/** Reads a stream as text from now on. */
export function readText(stream: Readable): Reading {
  stream.setMaxListeners(0);
  let text = '';
  const looks = new Set<() => void>();
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    for (const look of looks) look();
  });
  const until = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const give = (match: RegExpExecArray) => {
        looks.delete(look);
        clearTimeout(timer);
        resolve(match);
      };
      const fail = (what: string) => {
        looks.delete(look);
        clearTimeout(timer);
        reject(new Error(`${what} ${String(pattern)}:\n${text}`));
      };
      const look = () => {
        const match = pattern.exec(text);
        if (match) give(match);
      };
      const timer = setTimeout(() => fail('in 50 s the stream has not given'), 50_000).unref();
      looks.add(look);
      stream.once('close', () => fail('the stream ended without'));
      look();
    });
  return { text: () => text, until };
}

/** How many failures with this text have been told: repeats within a second are one line with their number. */
export function countFailures(stderr: string, text: string): number {
  return stderr
    .split('\n')
    .filter((line) => line.includes(text))
    .reduce((sum, line) => sum + Number(/ \(and (\d+) more within 1 s\)$/.exec(line)?.[1] ?? 1), 0);
}
