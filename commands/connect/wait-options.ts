import { InvalidArgumentError, Option, type Command } from 'commander';
import { parseCount, parseTimeMs } from '../options/values.ts';

/** The flags that make a connect try again. */
export interface WaitOptions {
  /** Infinity for `forever`. */
  readonly retry?: number;
  readonly retryDelay?: number;
  readonly wait?: number;
  readonly stable?: number;
  readonly waitConnect: number;
}

export function addWaitOptions(command: Command): void {
  command
    .addOption(
      new Option('--wait <time>', 'try until the server accepts, at most this long').argParser(parseTimeMs),
    )
    .addOption(
      new Option('--stable <time>', 'a connection counts once it has stayed open this long').argParser(
        parseTimeMs,
      ),
    )
    .addOption(
      new Option('--retry <n>', 'try again n times when connecting fails, or forever').argParser(
        parseRetries,
      ),
    )
    .addOption(
      new Option('--retry-delay <time>', 'the first wait between tries; then twice as long each').argParser(
        parseTimeMs,
      ),
    );
}

function parseRetries(text: string): number {
  if (text === 'forever') return Infinity;
  try {
    return parseCount(0)(text);
  } catch {
    throw new InvalidArgumentError('A whole number or the word forever is needed.');
  }
}

/** Whether a flag asks for more than one plain attempt. */
export function isPatient({ retry, wait, stable }: WaitOptions): boolean {
  return retry !== undefined || wait !== undefined || stable !== undefined;
}
