import { badInput } from '../protocol-error.ts';

/** A user and a password for a proxy. */
export interface ProxyCredentials {
  readonly user: string;
  readonly password: string;
}

const control = /\p{Cc}/u;
const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;

/**
 * The value of Proxy-Authorization for Basic, in UTF-8 (RFC 7617).
 * @throws ProtocolError TNET_E_PROTOCOL_INPUT for a colon in the user or a control character anywhere.
 */
export function encodeBasic({ user, password }: ProxyCredentials): string {
  if (user.includes(':') || control.test(user) || control.test(password)) {
    throw badInput(
      'http-connect',
      'bad-credentials',
      'Basic takes no colon in the user and no control characters (RFC 7617).',
    );
  }
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

/** Reads a Proxy-Authorization value; undefined when it is not Basic or not what RFC 7617 describes. */
export function decodeBasic(value: string): ProxyCredentials | undefined {
  const [, encoded] = /^basic +(\S+)[ \t]*$/i.exec(value) ?? [];
  if (encoded === undefined || !base64.test(encoded)) return undefined;
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  if (colon < 0 || control.test(text)) return undefined;
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
