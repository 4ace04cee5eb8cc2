import { V1_SIGNATURE, V2_SIGNATURE } from './proxy-protocol/header.ts';

/** Whether bytes are the start of a protocol; `maybe` = more bytes are needed to tell. */
export type Match = 'yes' | 'no' | 'maybe';

/** Compares with a fixed start. */
function matchStart(bytes: Buffer, start: Buffer): Match {
  const length = Math.min(bytes.length, start.length);
  if (!bytes.subarray(0, length).equals(start.subarray(0, length))) return 'no';
  return length === start.length ? 'yes' : 'maybe';
}

/** Checks byte after byte; the last check that passes decides for `yes`. */
function matchBytes(bytes: Buffer, checks: readonly ((byte: number) => boolean)[]): Match {
  for (const [index, check] of checks.entries()) {
    const byte = bytes[index];
    if (byte === undefined) return 'maybe';
    if (!check(byte)) return 'no';
  }
  return 'yes';
}

const is =
  (...values: number[]) =>
  (byte: number) =>
    values.includes(byte);
const any = () => true;

/** The longest HTTP method that is looked for; the registry's longest, UPDATEREDIRECTREF, has 17 letters. */
const METHOD_LIMIT_BYTES = 20;
/** How far the length of a RESP array may reach: `*` and seven digits. */
const RESP_LIMIT_BYTES = 9;

/** The target after the method: a path, `*`, a URL, or CONNECT's authority (RFC 9112 section 3.2). */
function matchTarget(method: string, target: Buffer): Match {
  const [first] = target;
  if (first === undefined) return 'maybe';
  if (method === 'CONNECT') return /[A-Za-z0-9[]/.test(String.fromCharCode(first)) ? 'yes' : 'no';
  return first === 47 || first === 42 ? 'yes' : matchStart(target, Buffer.from('http'));
}

/** A method in capitals, one blank, and a target (RFC 9112 section 3). */
function matchHttp1(bytes: Buffer): Match {
  for (let index = 0; index <= METHOD_LIMIT_BYTES; index += 1) {
    const byte = bytes[index];
    if (byte === undefined) return 'maybe';
    if (byte === 32) {
      return index < 3 ? 'no' : matchTarget(bytes.toString('latin1', 0, index), bytes.subarray(index + 1));
    }
    if (!/[A-Z-]/.test(String.fromCharCode(byte))) return 'no';
  }
  return 'no';
}

/** A RESP array of commands: `*1\r\n$` (Redis protocol specification). */
function matchRedis(bytes: Buffer): Match {
  if (bytes.length === 0) return 'maybe';
  if (bytes[0] !== 42) return 'no';
  for (let index = 1; index < RESP_LIMIT_BYTES; index += 1) {
    const byte = bytes[index];
    if (byte === undefined) return 'maybe';
    if (byte >= 48 && byte <= 57) continue;
    return index === 1 ? 'no' : matchStart(bytes.subarray(index), Buffer.from('\r\n$'));
  }
  return 'no';
}

/** SOCKS5's greeting: as many methods as it announces, no authentication or a password among them (RFC 1928 section 3). */
function matchSocks5(bytes: Buffer): Match {
  const head = matchBytes(bytes, [is(5), (count) => count > 0 && count < 16]);
  if (head !== 'yes') return head;
  const end = 2 + (bytes[1] ?? 0);
  const known = bytes.subarray(2, end).some((method) => method === 0 || method === 2);
  if (known) return 'yes';
  return bytes.length < end ? 'maybe' : 'no';
}

const POSTGRES_CODES = ['04d2162f', '04d21630', '04d2162e', '00030000', '00030002'].map((code) => {
  return Buffer.from(code, 'hex');
});

/** A start-up packet below 64 KiB: its length, then SSLRequest, GSSENCRequest, CancelRequest or version 3. */
function matchPostgres(bytes: Buffer): Match {
  const head = matchBytes(bytes, [is(0), is(0), any, any]);
  if (head !== 'yes') return head;
  if (bytes.readUInt32BE(0) < 8) return 'no';
  const matches = POSTGRES_CODES.map((code) => matchStart(bytes.subarray(4), code));
  if (matches.includes('yes')) return 'yes';
  return matches.includes('maybe') ? 'maybe' : 'no';
}

/** The protocols in the order in which they are tried; an earlier `maybe` holds back a later `yes`. */
export const signatures = {
  'proxy-v1': (bytes: Buffer) => matchStart(bytes, V1_SIGNATURE),
  'proxy-v2': (bytes: Buffer) => matchStart(bytes, V2_SIGNATURE),
  'http/2': (bytes: Buffer) => matchStart(bytes, Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')),
  ssh: (bytes: Buffer) => matchStart(bytes, Buffer.from('SSH-')),
  tls: (bytes: Buffer) => matchBytes(bytes, [is(22), is(3), is(0, 1, 2, 3, 4), any, any, is(1)]),
  socks4: (bytes: Buffer) => matchBytes(bytes, [is(4), is(1, 2)]),
  socks5: matchSocks5,
  postgres: matchPostgres,
  telnet: (bytes: Buffer) => matchBytes(bytes, [is(255), is(250, 251, 252, 253, 254)]),
  redis: matchRedis,
  'http/1': matchHttp1,
} as const satisfies Record<string, (bytes: Buffer) => Match>;

/** How many bytes are enough to tell every protocol apart; `need-more` is never said from here on. */
export const SNIFF_LIMIT_BYTES = 32;

/** A protocol that a client's first bytes give away. */
export type SniffedProtocol = keyof typeof signatures;

/** Every protocol that can be told, in the order in which they are tried. */
export const sniffedProtocols = Object.keys(signatures) as readonly SniffedProtocol[];

/** What {@link sniffProtocol} says. `unknown` also covers protocols in which the server speaks first. */
export type Sniffed = SniffedProtocol | 'unknown' | 'need-more';

/**
 * Tells the protocol from the first bytes of a client, all that has come so far. Consumes nothing, and never changes
 * its mind: once it has said something other than `need-more`, more bytes give the same answer. A client that waits
 * for its server (SMTP, MySQL, SSH at times) sends nothing to sniff, so the caller needs a time limit.
 */
export function sniffProtocol(bytes: Buffer): Sniffed {
  for (const [name, match] of Object.entries(signatures)) {
    const found = match(bytes);
    if (found === 'maybe') return 'need-more';
    if (found === 'yes') return name as SniffedProtocol;
  }
  return 'unknown';
}
