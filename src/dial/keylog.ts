import { appendFileSync, closeSync, constants, openSync } from 'node:fs';

/**
 * Appends the secrets of TLS connections to a file that Wireshark reads, in NSS key log format; nobody else may read
 * it. The first failure is told, and then nothing more is written.
 */
function createKeylog(file: string, onError: (error: Error) => void): (line: Buffer) => void {
  let hasFailed = false;
  return (line) => {
    if (hasFailed) return;
    try {
      append(file, line);
    } catch (error) {
      hasFailed = true;
      onError(error as Error);
    }
  };
}

/** What writes the secrets to the file that SSLKEYLOGFILE names; undefined where it names none. */
export function openKeylog(fail: (file: string, error: Error) => void): ((line: Buffer) => void) | undefined {
  const file = process.env['SSLKEYLOGFILE'];
  return file ? createKeylog(file, (error) => fail(file, error)) : undefined;
}

/** Of a FIFO that nobody reads, open(2) would wait for a reader, and the whole process with it. */
function append(file: string, line: Buffer): void {
  const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = constants;
  const fd = openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o600);
  try {
    appendFileSync(fd, line);
  } finally {
    closeSync(fd);
  }
}
