import { errorCode, TnetError } from '../../errors.ts';
import { describeError } from '../../report/sentences.ts';

/** A file that is being sent or received. */
export interface FileTransfer {
  readonly name: string;
  /** How long it is. */
  readonly bytes: number;
  /** How much of it was there already, and did not have to be sent. */
  readonly fromBytes: number;
}

/** Where the transfer of files is reported. */
export interface FilesReport {
  readonly started: (file: FileTransfer) => void;
  /** The file is complete, and its hash is right. */
  readonly done: (file: FileTransfer & { readonly sha256: Buffer; readonly durationMs: number }) => void;
  /** A file was not transferred; others go on. */
  readonly failed: (name: string, error: Error) => void;
  /** So many more bytes of files have been handed to the system. */
  readonly covered?: (bytes: number) => void;
}

/** A file was not sent, or not taken, and the connection can be used for the next one. */
export class NotSent extends TnetError {
  constructor(message: string, cause?: unknown) {
    super('TNET_E_FILE', message, { cause });
  }
}

/** The connection is over before a file is complete. `cause` is its error. */
export class CutOff extends TnetError {
  constructor(file: { readonly name: string; readonly at: number; readonly bytes: number }, cause: unknown) {
    const why = errorCode(cause) === undefined ? 'the peer ended the connection' : describeError(cause);
    super('TNET_E_FILE', `cut off after ${file.at} of ${file.bytes} bytes: ${why}`, { cause });
    this.name = 'CutOff';
    this.file = file.name;
  }

  /** The file that was cut off. */
  readonly file: string;
}

/** What ended a transfer although the connection did not break: a time limit, or a request to stop. */
export function isOwnEnd(error: unknown): boolean {
  return errorCode(error) === 'TNET_E_TIMEOUT' || (error as Error).name === 'AbortError';
}
