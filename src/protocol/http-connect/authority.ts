import { bytesToIp, ipToBytes } from '../../address/address.ts';
import { badInput } from '../protocol-error.ts';

/** A target in authority-form: host and port. */
export interface Authority {
  readonly host: string;
  readonly port: number;
}

/** reg-name of RFC 3986 section 3.2.2; names beyond ASCII have to come in their IDNA form. */
const regName = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2}){1,255}$/;
const authorityForm = /^(?:\[([^[\]]+)\]|([^:[\]]+)):([1-9]\d{0,4})$/;

/**
 * `host:port`, an IPv6 address in brackets: the authority-form of RFC 9112 section 3.2.3.
 * @throws ProtocolError TNET_E_PROTOCOL_INPUT for a host or port that cannot be written so.
 */
export function encodeAuthority({ host, port }: Authority): string {
  if (!Number.isInteger(port) || port < 1 || port > 0xffff) {
    throw badInput('http-connect', 'bad-port', `A port is a number from 1 to 65535, not ${port}.`);
  }
  if (ipToBytes(host)?.length === 16) return `[${host}]:${port}`;
  if (!regName.test(host)) {
    throw badInput('http-connect', 'bad-host', `This host cannot be asked for: ${JSON.stringify(host)}.`);
  }
  return `${host}:${port}`;
}

/** Reads authority-form; the port must be there and not be 0. Undefined for anything else. */
export function decodeAuthority(text: string): Authority | undefined {
  const [, literal, name, digits] = authorityForm.exec(text) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 0xffff) return undefined;
  if (name !== undefined) return regName.test(name) ? { host: name, port } : undefined;
  const bytes = ipToBytes(literal ?? '');
  return bytes?.length === 16 ? { host: bytesToIp(bytes), port } : undefined;
}
