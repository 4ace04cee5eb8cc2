import { appendFileSync } from 'node:fs';

/**
 * Appends the secrets of TLS connections to a file that Wireshark reads, in NSS key log format; nobody else may read
 * it. The first failure is told, and then nothing more is written.
 */
export function createKeylog(file: string, onError: (error: Error) => void): (line: Buffer) => void {
  let hasFailed = false;
  return (line) => {
    if (hasFailed) return;
    try {
      appendFileSync(file, line, { mode: 0o600 });
    } catch (error) {
      hasFailed = true;
      onError(error as Error);
    }
  };
}
