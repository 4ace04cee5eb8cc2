import { createWriteStream, openSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../errors.ts';
import type { Connection } from '../../net/connection.ts';
import { unmapAddress } from '../../address/address.ts';

export interface ClientFile {
  readonly path: string;
  /** The caller ends it, which closes the file. */
  readonly stream: WriteStream;
}

/**
 * Creates the file that takes a client's bytes: `DIR/ID-ADDRESS-PORT`, or `DIR/ID` for a client without an address;
 * with `.2`, `.3`, … appended when such a file exists already: none is ever overwritten.
 *
 * @throws the system's error (`EMFILE`, `ENOSPC`, `EACCES`, …) with its `path`.
 */
export function createClientFile(dir: string, id: number, client: Connection): ClientFile {
  const name = join(dir, clientFileName(id, client));
  for (let number = 1; ; number++) {
    const path = number === 1 ? name : `${name}.${number}`;
    try {
      return { path, stream: createWriteStream('', { fd: openSync(path, 'wx') }) };
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
  }
}

/** The name of a client's file: a colon or a zone of its address becomes `_`. */
function clientFileName(id: number, { remoteAddress, remotePort }: Connection): string {
  if (remoteAddress === undefined) return String(id);
  const address = unmapAddress(remoteAddress).replace(/[^0-9a-zA-Z.]/g, '_');
  return `${id}-${address}-${remotePort ?? 0}`;
}
