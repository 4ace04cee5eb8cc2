import { errorCode, TnetError } from '../../errors.ts';
import { formatHostPort } from '../../address/endpoint.ts';
import type { ControlAnswer } from '../request.ts';

/** A failure as toxiproxy's clients know it: a status of HTTP, and a sentence. */
export class ToxiproxyError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

ToxiproxyError.prototype.name = 'ToxiproxyError';

export const proxyNotFound = () => new ToxiproxyError(404, 'proxy not found');
export const toxicNotFound = () => new ToxiproxyError(404, 'toxic not found');
export const badBody = (reason: string) => new ToxiproxyError(400, `bad request body: ${reason}`);
export const missingField = (name: string) => new ToxiproxyError(400, `missing required field: ${name}`);

/** What keeps an address from being bound, in the words that toxiproxy's clients see. */
const bindFailures: Readonly<Record<string, string>> = {
  EADDRINUSE: 'address already in use',
  EACCES: 'permission denied',
  EADDRNOTAVAIL: 'cannot assign requested address',
};

/** What a failure is to toxiproxy's clients. What a proxy or a toxic cannot be is 400; what the system refuses, 500. */
export function toToxiproxyError(error: unknown): ToxiproxyError {
  if (error instanceof ToxiproxyError) return error;
  if (error instanceof TnetError) {
    if (error.code === 'TNET_E_UNKNOWN_NAME') return proxyNotFound();
    if (error.code === 'TNET_E_NAME_TAKEN') return new ToxiproxyError(409, 'proxy already exists');
    const { subject, message } = error;
    return new ToxiproxyError(
      error.code === 'TNET_E_INTERNAL' ? 500 : 400,
      subject ? `${subject}: ${message}` : message,
    );
  }
  const failure = bindFailures[errorCode(error) ?? ''];
  const place = placeOf(error);
  if (failure !== undefined && place !== undefined)
    return new ToxiproxyError(500, `listen tcp ${place}: bind: ${failure}`);
  return new ToxiproxyError(500, error instanceof Error ? error.message : String(error));
}

export function answerError(error: unknown): ControlAnswer {
  const { message, status } = toToxiproxyError(error);
  return { status, body: { error: message, status } };
}

/** Whether the target of a request is a path of toxiproxy's interface. */
export function isToxiproxyTarget(target: string): boolean {
  return /^\/(?:proxies|populate|reset|version|metrics)(?:[/?#]|$)/.test(target);
}

/** An error of the control address itself, in the form that toxiproxy's clients know. */
export function toToxiproxyAnswer({ status, headers, body }: ControlAnswer): ControlAnswer {
  const { message = '' } = body as { readonly message?: string };
  return { status, ...(headers && { headers }), body: { error: message, status } };
}

/** The host and port that an error of the system is about. */
function placeOf(error: unknown): string | undefined {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const { address, port } = cause as { address?: unknown; port?: unknown };
  return typeof address === 'string' && typeof port === 'number' ? formatHostPort(address, port) : undefined;
}
