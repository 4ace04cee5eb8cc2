import { getSystemErrorMessage } from 'node:util';
import { errorCode, ExplainedError, TnetError } from '../errors.ts';

/** Plain words for codes whose text from the system says less than a user needs, or that are not the system's. */
const sentences: Readonly<Record<string, string>> = {
  ECONNRESET: 'connection reset by peer',
  ECONNABORTED: 'connection aborted',
  ETIMEDOUT: 'connection timed out',
  EHOSTUNREACH: 'no route to host',
  EPIPE: 'the peer no longer accepts data',
  ENOTFOUND: 'host name not found',
  EAI_AGAIN: 'the name server does not answer',
  EAI_NODATA: 'the host name has no address',
  EAI_FAIL: 'the name server failed',
  EADDRNOTAVAIL: 'not an address of this machine',
};

/** The fields by which events describe an error. */
export function failureFields(error: unknown): { readonly code: string; readonly message: string } {
  return { code: errorCode(error) ?? 'ERROR', message: describeError(error) };
}

/** One plain sentence for any error, without its code. Never empty. */
export function describeError(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 1) return describeAttempts(error.errors);
  if (error instanceof ExplainedError) return error.message;
  if (error instanceof TnetError && error.cause instanceof AggregateError)
    return `${error.message}; ${describeAttempts(error.cause.errors)}`;
  const code = errorCode(error);
  if (code !== undefined && sentences[code] !== undefined) return sentences[code];
  if (code?.startsWith('ERR_SSL_')) return describeTlsError(code, error);
  const { errno, message } = error as { errno?: unknown; message?: unknown };
  if (typeof errno === 'number' && code?.startsWith('E')) return getSystemErrorMessage(errno);
  const [line] = String(message ?? error).split('\n');
  return line === undefined || line === '' ? (code ?? 'unknown error') : line;
}

/** Every address that was tried, after its result: `connection refused: 127.0.0.1:80, [::1]:80`. */
function describeAttempts(errors: readonly unknown[]): string {
  const bySentence = Map.groupBy(errors, describeError);
  return [...bySentence]
    .map(([sentence, same]) => {
      const addresses = same.map(addressOf).filter((address) => address !== undefined);
      return addresses.length === 0 ? sentence : `${sentence}: ${addresses.join(', ')}`;
    })
    .join('; ');
}

function addressOf(error: unknown): string | undefined {
  const { address, port } = error as { address?: string; port?: number };
  if (address === undefined || port === undefined) return address;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** OpenSSL's codes for a peer that speaks something else: they come with any first bytes that are not TLS. */
const notTls = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_HTTP_REQUEST',
  'ERR_SSL_UNKNOWN_PROTOCOL',
]);

/** OpenSSL's message is a line of numbers and file names; its reason is what a person can use. */
function describeTlsError(code: string, error: unknown): string {
  if (notTls.has(code)) return 'the peer does not speak TLS here';
  const { reason } = error as { reason?: string };
  return `TLS failed: ${reason ?? code.slice('ERR_SSL_'.length).toLowerCase().replaceAll('_', ' ')}`;
}
