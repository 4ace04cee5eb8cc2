import { errorCode, TnetError, type TnetErrorCode } from '../errors.ts';
import { createFault } from '../net/guard.ts';
import type { ControlAnswer } from './request.ts';

/** Errors of the control address itself. docs/control.yaml lists them. */
export const problems = {
  BAD_REQUEST: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  METHOD_NOT_ALLOWED: 405,
  BODY_TOO_LARGE: 413,
  UNSUPPORTED_MEDIA_TYPE: 415,
  TOO_MANY_REQUESTS: 429,
  UNAVAILABLE: 503,
} as const;

export type ProblemCode = keyof typeof problems;

/** A request that is refused. */
export class Problem extends Error {
  readonly code: ProblemCode;
  readonly subject: string | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    code: ProblemCode,
    message: string,
    options: { readonly subject?: string; readonly headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message);
    this.code = code;
    this.subject = options.subject;
    this.headers = options.headers ?? {};
  }
}

/** The body of every answer that is an error. */
export interface ErrorBody {
  /** Stable: of Problem, of tnet (docs/errors.md), or of the system, such as EADDRINUSE. */
  readonly code: string;
  /** For people. */
  readonly message: string;
  /** What it is about: a setting (`/settings/latency`), a name, an address. */
  readonly subject?: string;
}

const statuses: Partial<Readonly<Record<TnetErrorCode, number>>> = {
  TNET_E_UNKNOWN_NAME: 404,
  TNET_E_NAME_TAKEN: 409,
  TNET_E_PATH_IN_USE: 409,
  TNET_E_EXPOSED: 403,
  TNET_E_INTERNAL: 500,
};

/** What keeps an address from being bound. */
const bindCodes = ['EADDRINUSE', 'EADDRNOTAVAIL', 'EACCES', 'EPERM', 'ENOENT', 'ENOTFOUND', 'EAI_AGAIN'];

/**
 * The answer to a request that failed.
 *
 * @param report called with a fault of tnet
 */
export function answerError(error: unknown, report: (fault: TnetError) => void): ControlAnswer {
  if (error instanceof Problem) {
    const { code, message, subject, headers } = error;
    return { status: problems[code], headers, body: toBody(code, message, subject) };
  }
  const code = errorCode(error);
  const { message, subject } = error as Error & { readonly subject?: string };
  if (error instanceof TnetError)
    return { status: statuses[error.code] ?? 400, body: toBody(error.code, message, subject) };
  if (code !== undefined && bindCodes.includes(code))
    return { status: 409, body: toBody(code, message, subject) };
  const fault = createFault(error);
  report(fault);
  return { status: 500, body: toBody(fault.code, fault.message) };
}

function toBody(code: string, message: string, subject?: string): ErrorBody {
  return { code, message, ...(subject !== undefined && { subject }) };
}
