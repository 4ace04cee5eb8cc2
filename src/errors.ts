import { exitCodes } from './exit-codes.ts';

/**
 * Every code of tnet's own, with the exit status that a command gives it and what it means. docs/errors.md holds
 * the same table for people; a test compares the two.
 *
 * Errors of the operating system (`ECONNREFUSED`, `EADDRINUSE`, …) keep their own code.
 */
export const errorTable = {
  TNET_E_USAGE: {
    exit: exitCodes.usage,
    meaning: 'The command line is wrong: an unknown or impossible flag.',
  },
  TNET_E_ADDRESS: {
    exit: exitCodes.usage,
    meaning: 'An address, port, service name or path cannot be read.',
  },
  TNET_E_PATH_IN_USE: {
    exit: exitCodes.usage,
    meaning: 'A Unix socket path is taken: by a live server, or by a file that is no socket.',
  },
  TNET_E_DESCRIPTOR: {
    exit: exitCodes.usage,
    meaning: 'A descriptor from the parent process is not open, or not what it has to be.',
  },
  TNET_E_ACCESS: {
    exit: exitCodes.usage,
    meaning: 'An access list cannot be read: its file, an entry, or a host name of it.',
  },
  TNET_E_EXPOSED: {
    exit: exitCodes.usage,
    meaning: 'A program would be open to other machines without --allow or --insecure-exec.',
  },
  TNET_E_PROGRAM: { exit: exitCodes.usage, meaning: 'The program of -e cannot be started.' },
  TNET_E_UNSUPPORTED: {
    exit: exitCodes.usage,
    meaning: 'This system, Node version or build lacks what was asked for.',
  },
  TNET_E_CONFIG: {
    exit: exitCodes.usage,
    meaning: 'A configuration file is wrong; its subject says where.',
  },
  TNET_E_UNKNOWN_NAME: {
    exit: exitCodes.usage,
    meaning: 'Nothing has the name or number that was given.',
  },
  TNET_E_NAME_TAKEN: {
    exit: exitCodes.usage,
    meaning: 'Something else has the name already.',
  },
  TNET_E_RECORDING: {
    exit: exitCodes.usage,
    meaning: 'A recording cannot be read, or is none that can be replayed.',
  },
  TNET_E_TIMEOUT: { exit: exitCodes.timeLimit, meaning: 'A time limit that was asked for has run out.' },
  TNET_E_OVERRUN: {
    exit: exitCodes.failed,
    meaning: 'A client took its bytes too slowly and was dropped, so that the others need not wait.',
  },
  TNET_E_PROXY: {
    exit: exitCodes.failed,
    meaning: 'A proxy on the way refused, failed or could not be understood.',
  },
  TNET_E_TLS: {
    exit: exitCodes.failed,
    meaning: 'TLS could not be established, or the peer is not the one that was asked for.',
  },
  TNET_E_TRUNCATED: {
    exit: exitCodes.failed,
    meaning: 'A peer ended the connection, but not TLS or the WebSocket: its data may be cut short.',
  },
  TNET_E_WEBSOCKET: {
    exit: exitCodes.failed,
    meaning: 'The peer closed a WebSocket with an error, broke its protocol or a limit, or answers no ping.',
  },
  TNET_E_FRAMING: {
    exit: exitCodes.failed,
    meaning: 'A stream of datagrams with their lengths cannot be read: too long a one, or an end within one.',
  },
  TNET_E_UNSTABLE: {
    exit: exitCodes.failed,
    meaning: 'The connection did not stay open for the time that was asked for.',
  },
  TNET_E_EXPECT: {
    exit: exitCodes.failed,
    meaning: 'The peer did not answer as a step of the dialogue, --wait-http or --health-http expected.',
  },
  TNET_E_OPEN: {
    exit: exitCodes.failed,
    meaning: 'An address that was to be closed still accepts connections.',
  },
  TNET_E_ECHO: {
    exit: exitCodes.failed,
    meaning: 'What came back is not what was sent: bytes are wrong or missing.',
  },
  TNET_E_UNSENT: {
    exit: exitCodes.failed,
    meaning: 'The peer ended the connection without taking everything that was to be sent.',
  },
  TNET_E_LOOP: {
    exit: exitCodes.usage,
    meaning: 'A relay leads back to itself.',
  },
  TNET_E_DENIED: {
    exit: exitCodes.failed,
    meaning: 'A client of a proxy asked for a target that it may not reach.',
  },
  TNET_E_DISABLED: {
    exit: exitCodes.failed,
    meaning: 'A client of a proxy could not be served: its targets have been disabled.',
  },
  TNET_E_FILE: {
    exit: exitCodes.failed,
    meaning: 'A file was not transferred: it was cut off, refused, or did not arrive as it was sent.',
  },
  TNET_E_INTERNAL: {
    exit: exitCodes.failed,
    meaning: 'A fault of tnet: the connection was ended, and the rest goes on. Please report it.',
  },
} as const satisfies Record<string, { exit: number; meaning: string }>;

/** The stable name of a failure that tnet itself finds. Match on `code`, never on the message. */
export type TnetErrorCode = keyof typeof errorTable;

/** A failure with a stable `code`, a one-line message for people, and the exit status a command gives it. */
export class TnetError extends Error {
  readonly code: TnetErrorCode;
  /** What the failure is about, as the user wrote it: an address, a path, a flag. */
  readonly subject: string | undefined;

  constructor(code: TnetErrorCode, message: string, options: { cause?: unknown; subject?: string } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.subject = options.subject;
  }

  /** The exit status of a command that this error ends. */
  get exitCode(): number {
    return errorTable[this.code].exit;
  }
}

TnetError.prototype.name = 'TnetError';

/**
 * A failure reported by the system, with a sentence that says more than its code does. Code and place are those of
 * the cause.
 */
export class ExplainedError extends Error {
  declare readonly code: string | undefined;
  /** What the failure is about, as the user wrote it. Default: what the command was working on. */
  readonly subject: string | undefined;

  constructor(cause: Error, message: string, subject?: string) {
    super(message, { cause });
    const { code, errno, syscall, address, port } = cause as NodeJS.ErrnoException & Record<string, unknown>;
    Object.assign(this, { code, errno, syscall, address, port });
    this.subject = subject;
  }
}

/** A limit as people write it: `300 ms`, `3 s`, `1.5 s`, `5 min`, `2 h`. */
export function formatLimit(limitMs: number): string {
  const inUnits = (unitMs: number) => Math.round((limitMs / unitMs) * 10) / 10;
  if (limitMs < 1000) return `${Math.round(limitMs)} ms`;
  if (limitMs < 120_000) return `${inUnits(1000)} s`;
  return limitMs < 7_200_000 ? `${inUnits(60_000)} min` : `${inUnits(3_600_000)} h`;
}

/** Nothing has moved on a connection for its limit. */
export function idleError(limitMs: number): TnetError {
  return new TnetError('TNET_E_TIMEOUT', `no byte in either direction for ${formatLimit(limitMs)}`);
}

/** A connection has existed for its limit. */
export function lifetimeError(limitMs: number): TnetError {
  return new TnetError('TNET_E_TIMEOUT', `the connection was open for ${formatLimit(limitMs)}`);
}

/** The `code` of any error, or undefined. */
export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** Whether the peer (or its system) cut the connection: what a reset shows as, from the reading or the writing side. */
export function isReset(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'ECONNRESET' || code === 'EPIPE' || code === 'ECONNABORTED';
}

/**
 * An argument as it may be shown in an error: the part before the last `@` of an address, where users put a name
 * and a password, is left out. Paths and abstract sockets, which have an `@` of their own, stay as they are.
 */
export function hideUserInfo(argument: string): string {
  const at = argument.lastIndexOf('@');
  if (at < 0 || /^(?:unix(?:-[a-z]+)?:|(?:exec|sh|pty|file|serial):|[@./])/.test(argument)) return argument;
  const [scheme = ''] = /^[a-z][a-z0-9+.-]*:\/\//i.exec(argument) ?? [];
  return `${scheme}…${argument.slice(at)}`;
}
