import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from '../address/ip.ts';
import { Problem } from './problem.ts';

/** Who may ask for what. */
export interface AdmissionRules {
  /** What a request has to bring to change anything. Default: nothing. */
  readonly token?: string | undefined;
  /** The token is needed to read as well: other machines reach the address. */
  readonly isPublic: boolean;
  /** The host of the address as it was given; undefined for a Unix socket, which no browser reaches. */
  readonly host: string | undefined;
}

/** The first lines of a request. */
export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

const readMethods = ['GET', 'HEAD'];
const mostBytes = 1024 * 1024;

/**
 * Refuses a request before its body is read. What a page of a browser could be made to send on behalf of another site is
 * refused, whatever the token: its names for this machine (DNS rebinding), its origin, and forms.
 *
 * @throws Problem
 */
export function admit({ method, headers }: RequestHead, rules: AdmissionRules): void {
  const isWrite = !readMethods.includes(method);
  checkOrigin(headers, isWrite);
  const isKnown = rules.token !== undefined && hasToken(headers, rules.token);
  // Who has the token has not been led here by a name.
  if (!isKnown) checkHost(headers, rules);
  if (rules.token !== undefined && !isKnown && (isWrite || rules.isPublic))
    throw new Problem(
      'UNAUTHORIZED',
      'the token of --control-token-file is needed: Authorization: Bearer TOKEN',
      {
        headers: { 'www-authenticate': 'Bearer realm="tnet"' },
      },
    );
  checkBody(headers);
}

/** @throws Problem when the request comes from a page of elsewhere */
function checkOrigin({ origin, host, 'sec-fetch-site': site }: IncomingHttpHeaders, isWrite: boolean): void {
  if (origin !== undefined && origin !== `http://${host ?? ''}`)
    throw new Problem('FORBIDDEN', 'pages of other origins may not use this address', { subject: origin });
  if (isWrite && site !== undefined && site !== 'same-origin' && site !== 'none')
    throw new Problem('FORBIDDEN', 'pages of other sites may not use this address');
}

/**
 * A page that has made its own name resolve to this machine sends that name. An address cannot be such a name.
 *
 * @throws Problem
 */
function checkHost({ host }: IncomingHttpHeaders, rules: AdmissionRules): void {
  if (rules.host === undefined) return;
  const name = readHostName(host ?? '');
  const isOwn = name === rules.host.toLowerCase() || name === 'localhost' || isIP(name) !== 0;
  if (!isOwn)
    throw new Problem('FORBIDDEN', 'this address has another name', { subject: `Host: ${host ?? ''}` });
}

/** Without the port and the brackets of IPv6. */
function readHostName(host: string): string {
  const [, bracketed, plain = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d{1,5})?$/.exec(host) ?? [];
  return (bracketed ?? plain).toLowerCase();
}

/** In a time that does not depend on how much of it is right. */
function hasToken({ authorization = '' }: IncomingHttpHeaders, token: string): boolean {
  const [, given = ''] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(token));
}

/** @throws Problem for a body that is no JSON, or too long */
function checkBody(headers: IncomingHttpHeaders): void {
  const { 'content-type': type, 'content-length': length, 'transfer-encoding': coding } = headers;
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity')
    throw new Problem('UNSUPPORTED_MEDIA_TYPE', 'the body may not be compressed');
  const hasBody = coding !== undefined || (length !== undefined && Number(length) > 0);
  const isJson = /^application\/json *(?:;|$)/i.test(type ?? '');
  if (!isJson && (hasBody || (type !== undefined && type !== '')))
    throw new Problem('UNSUPPORTED_MEDIA_TYPE', 'a body has to be JSON: Content-Type: application/json');
  if (Number(length ?? 0) > mostBytes) throw tooLong();
}

/**
 * Reads the body of a request.
 *
 * @throws Problem when it is too long, cut short, or not UTF-8
 */
export async function readBody(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of stream) {
      bytes += chunk.length;
      if (bytes > mostBytes) break;
      chunks.push(chunk);
    }
  } catch {
    throw new Problem('BAD_REQUEST', 'the body was cut short');
  }
  if (bytes > mostBytes) throw tooLong();
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new Problem('BAD_REQUEST', 'the body is not UTF-8');
  }
}

function tooLong(): Problem {
  return new Problem('BODY_TOO_LARGE', `a body may have at most ${mostBytes} bytes`);
}
