import { violation, overLimit } from './protocol-error.ts';

/** Reads the length-prefixed vectors of TLS (RFC 8446 section 3.4) and refuses to go past the end. */
class ByteReader {
  readonly #bytes: Buffer;
  #index = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Whether there are bytes left. */
  hasMore(): boolean {
    return this.#index < this.#bytes.length;
  }

  /** A number of one to three bytes. */
  readNumber(size: 1 | 2 | 3): number {
    return this.readBytes(size).readUIntBE(0, size);
  }

  /** So many bytes, as a view. */
  readBytes(count: number): Buffer {
    const end = this.#index + count;
    if (end > this.#bytes.length) throw malformed();
    const bytes = this.#bytes.subarray(this.#index, end);
    this.#index = end;
    return bytes;
  }

  /** A vector whose length is a number of `size` bytes before it. */
  readVector(size: 1 | 2): ByteReader {
    return new ByteReader(this.readBytes(this.readNumber(size)));
  }

  /** Everything that is left. */
  readRest(): Buffer {
    return this.readBytes(this.#bytes.length - this.#index);
  }
}

/** The one error of a hello that contradicts itself. */
export function malformed(): Error {
  return violation('tls', 'malformed-hello', 'the TLS ClientHello contradicts its own lengths');
}

/** How many bytes of the stream are looked at for a hello; a longer one is an error. */
export const HELLO_LIMIT_BYTES = 64 * 1024;
/** Into how many records a hello may be cut. */
export const HELLO_RECORD_LIMIT = 256;

/** What a client says about the connection it wants, before anything is encrypted. */
export interface ClientHello {
  /** The name the client asks for (SNI, RFC 6066 section 3), as it was sent; compare it without regard to case. */
  readonly serverName: string | undefined;
  /** The application protocols it offers (ALPN, RFC 7301), best first; empty without the extension. */
  readonly alpn: readonly string[];
  /** The versions it offers, e.g. 0x0304 for TLS 1.3: those of supported_versions, or the one of the old field. */
  readonly versions: readonly number[];
}

/** What {@link peekClientHello} makes of the first bytes of a stream. */
export type PeekedHello =
  | { readonly type: 'hello'; readonly hello: ClientHello }
  /** The hello is not whole: call again with more bytes. */
  | { readonly type: 'need-more' }
  /** The stream is something else. */
  | { readonly type: 'not-tls' };

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const RECORD_HEADER_BYTES = 5;
/** RFC 8446 section 5.1. */
const RECORD_LIMIT_BYTES = 16384;
const HANDSHAKE_HEADER_BYTES = 4;
const extensionTypes = { serverName: 0, alpn: 16, supportedVersions: 43 } as const;
/** A host name in SNI is ASCII: internationalised names come in their A-label form. */
const hostName = /^[\x21-\x7e]{1,255}$/;

/** Whether the bytes, as far as they go, can be the start of a handshake record. */
function isRecordStart(bytes: Buffer): boolean {
  const [type, major, minor] = bytes;
  return (
    (type === undefined || type === HANDSHAKE_RECORD) &&
    (major === undefined || major === 3) &&
    (minor === undefined || minor <= 4)
  );
}

/**
 * Looks for the TLS ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2) at the start of a stream, across
 * any number of records, and consumes nothing: the same bytes can be passed on as they are. `bytes` are all that has
 * come so far; the caller needs to keep no more than {@link HELLO_LIMIT_BYTES}.
 * @throws ProtocolError TNET_E_PROTOCOL `malformed-hello`; TNET_E_PROTOCOL_LIMIT for a hello over the limits.
 */
export function peekClientHello(bytes: Buffer): PeekedHello {
  const fragments: Buffer[] = [];
  let index = 0;
  for (;;) {
    const record = bytes.subarray(index);
    if (!isRecordStart(record)) {
      // In the first record this is another protocol, later a hello that breaks off.
      if (fragments.length === 0) return { type: 'not-tls' };
      throw malformed();
    }
    if (fragments.length === HELLO_RECORD_LIMIT) throw tooLong();
    if (record.length < RECORD_HEADER_BYTES) return { type: 'need-more' };
    const length = record.readUInt16BE(3);
    if (length === 0 || length > RECORD_LIMIT_BYTES) {
      if (fragments.length === 0) return { type: 'not-tls' };
      throw malformed();
    }
    if (index + RECORD_HEADER_BYTES + length > HELLO_LIMIT_BYTES) throw tooLong();
    const fragment = record.subarray(RECORD_HEADER_BYTES, RECORD_HEADER_BYTES + length);
    if (fragments.length === 0 && fragment[0] !== undefined && fragment[0] !== CLIENT_HELLO)
      return { type: 'not-tls' };
    fragments.push(fragment);
    const hello = readHandshake(fragments);
    if (hello) return { type: 'hello', hello };
    index += RECORD_HEADER_BYTES + length;
    if (fragment.length < length) return { type: 'need-more' };
  }
}

/** The hello when its fragments are all there. Its head may itself be cut; nothing is copied until the end is in sight. */
function readHandshake(fragments: readonly Buffer[]): ClientHello | undefined {
  const available = fragments.reduce((bytes, fragment) => bytes + fragment.length, 0);
  if (available < HANDSHAKE_HEADER_BYTES) return undefined;
  const head = Buffer.concat(fragments.slice(0, HANDSHAKE_HEADER_BYTES), HANDSHAKE_HEADER_BYTES);
  const helloBytes = head.readUIntBE(1, 3);
  if (helloBytes > HELLO_LIMIT_BYTES) throw tooLong();
  const end = HANDSHAKE_HEADER_BYTES + helloBytes;
  if (available < end) return undefined;
  return readHello(new ByteReader(Buffer.concat(fragments).subarray(HANDSHAKE_HEADER_BYTES, end)));
}

function tooLong(): Error {
  return overLimit('tls', 'hello-too-long', `the TLS ClientHello is longer than ${HELLO_LIMIT_BYTES} bytes`);
}

function readHello(reader: ByteReader): ClientHello {
  const legacyVersion = reader.readNumber(2);
  reader.readBytes(32); // random
  reader.readVector(1); // session id
  reader.readVector(2); // cipher suites
  reader.readVector(1); // compression methods
  let hello: ClientHello = { serverName: undefined, alpn: [], versions: [legacyVersion] };
  // A hello of before RFC 3546 ends here.
  if (!reader.hasMore()) return hello;
  const extensions = reader.readVector(2);
  if (reader.hasMore()) throw malformed();
  const seen = new Set<number>();
  while (extensions.hasMore()) {
    const type = extensions.readNumber(2);
    const body = extensions.readVector(2);
    if (seen.has(type)) throw malformed();
    seen.add(type);
    if (type === extensionTypes.serverName) hello = { ...hello, serverName: readServerName(body) };
    else if (type === extensionTypes.alpn) hello = { ...hello, alpn: readAlpn(body) };
    else if (type === extensionTypes.supportedVersions) hello = { ...hello, versions: readVersions(body) };
  }
  return hello;
}

/** The first host name of the list; other kinds of names were never defined. */
function readServerName(body: ByteReader): string | undefined {
  const names = body.readVector(2);
  while (names.hasMore()) {
    const type = names.readNumber(1);
    const name = names.readVector(2).readRest().toString('latin1');
    if (type !== 0) continue;
    if (!hostName.test(name)) throw malformed();
    return name;
  }
  return undefined;
}

function readAlpn(body: ByteReader): string[] {
  const list = body.readVector(2);
  const protocols: string[] = [];
  while (list.hasMore()) protocols.push(list.readVector(1).readRest().toString('latin1'));
  return protocols;
}

function readVersions(body: ByteReader): number[] {
  const list = body.readVector(1);
  const versions: number[] = [];
  while (list.hasMore()) versions.push(list.readNumber(2));
  return versions;
}
