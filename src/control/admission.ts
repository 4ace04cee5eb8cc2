import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from '../address/ip.ts';
import { Problem } from './problem.ts';
import { isToxiproxyTarget } from './toxiproxy/errors.ts';

/** Who may ask for what. */
export interface AdmissionRules {
  /** What a request has to bring to change anything. Default: nothing. */
  readonly token?: string | undefined;
  /** The token is needed to read as well: other machines reach the address. */
  readonly isPublic: boolean;
  /** The host of the address as it was given; undefined for a Unix socket, which no browser reaches. */
  readonly host: string | undefined;
  /** Paths that anyone may read, by whatever name: they show nothing of the proxy. Default: there are none. */
  readonly open?: readonly string[];
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
 * @returns whether it brought the token
 * @throws Problem
 */
export function admit({ method, target, headers }: RequestHead, rules: AdmissionRules): boolean {
  const isWrite = !readMethods.includes(method);
  checkOrigin(headers, isWrite);
  const { token, isPublic, open = [] } = rules;
  const isKnown = token !== undefined && hasToken(headers, token);
  const isOpen = !isWrite && open.includes(target);
  // Who has the token has not been led here by a name.
  if (!isKnown && !isOpen) checkHost(headers, rules);
  // A wrong one is not taken for none: whoever has mistyped it is told.
  const needsToken = isWrite || (isPublic && !isOpen) || headers.authorization !== undefined;
  if (token !== undefined && !isKnown && needsToken) throw unauthorized();
  checkBody(headers, isToxiproxyTarget(target) && !isOfBrowser(headers));
  return isKnown;
}

/**
 * Refuses to show the bytes of connections to someone who has not brought the token, where there is one.
 *
 * @throws Problem
 */
export function admitPath(path: readonly string[], { token }: AdmissionRules, isKnown: boolean): void {
  const [interfaceName, collection, , view] = path;
  const isSecret = interfaceName === 'v1' && collection === 'connections' && view !== undefined;
  if (token !== undefined && !isKnown && isSecret) throw unauthorized();
}

function unauthorized(): Problem {
  return new Problem(
    'UNAUTHORIZED',
    'the token of --control-token-file is needed: Authorization: Bearer TOKEN',
    { headers: { 'www-authenticate': 'Bearer realm="tnet"' } },
  );
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

/**
 * Every browser says what it is, and sends the origin of a form with it.
 */
function isOfBrowser(headers: IncomingHttpHeaders): boolean {
  const { origin, 'sec-fetch-site': site, 'user-agent': agent = '' } = headers;
  return origin !== undefined || site !== undefined || agent.startsWith('Mozilla/');
}

/**
 * @param isAnyType the type of the body is not looked at: several of toxiproxy's clients send JSON as a form, by the
 *   default of their library
 * @throws Problem for a body that is no JSON, or too long
 */
function checkBody(headers: IncomingHttpHeaders, isAnyType: boolean): void {
  const { 'content-type': type, 'content-length': length, 'transfer-encoding': coding } = headers;
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity')
    throw new Problem('UNSUPPORTED_MEDIA_TYPE', 'the body may not be compressed');
  const hasBody = coding !== undefined || (length !== undefined && Number(length) > 0);
  const isJson = isAnyType || /^application\/json *(?:;|$)/i.test(type ?? '');
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
