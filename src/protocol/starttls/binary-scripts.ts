import {
  MESSAGE_LIMIT_BYTES,
  messageTooLong,
  notOffered,
  serverRefusal,
  unexpected,
  type ScriptStep,
  type StarttlsScript,
} from './dialogue.ts';

const EMPTY = Buffer.alloc(0);

/** PostgreSQL protocol, "SSL Session Encryption": SSLRequest, then one byte. */
export function createPostgresScript(): StarttlsScript {
  return {
    protocol: 'postgres',
    first: Buffer.from('0000000804d2162f', 'hex'),
    read(bytes) {
      switch (bytes[0]) {
        case undefined:
          return undefined;
        case 0x53: // S
          return { usedBytes: 1, isReady: true };
        case 0x4e: // N
          throw notOffered('postgres');
        case 0x45: // E: a server of before 7.0, or one that has no room
          checkPostgresError(bytes);
          return undefined;
        default:
          throw unexpected('postgres', `byte ${bytes[0]}`);
      }
    },
  };
}

/** ErrorResponse: a length, then fields of a letter and a text; `M` is the message for people. Throws it once it is whole. */
function checkPostgresError(bytes: Buffer): void {
  if (bytes.length < 5) return;
  const length = bytes.readUInt32BE(1);
  if (length < 5) throw unexpected('postgres', 'an error without text');
  if (length > MESSAGE_LIMIT_BYTES) throw messageTooLong('postgres');
  if (bytes.length < 1 + length) return;
  const fields = bytes.toString('utf8', 5, 1 + length).split('\0');
  throw serverRefusal('postgres', fields.find((field) => field.startsWith('M'))?.slice(1) ?? 'an error');
}

const MYSQL_HEADER_BYTES = 4;
/** CLIENT_SSL of the MySQL protocol. */
const MYSQL_SSL = 0x0800;
/** LONG_PASSWORD, PROTOCOL_41, SSL, SECURE_CONNECTION and PLUGIN_AUTH: what a client of today says. */
const MYSQL_CAPABILITIES = 0x0001 | 0x0200 | MYSQL_SSL | 0x8000 | 0x80000;
const MYSQL_UTF8MB4 = 45;

/** MySQL protocol, "Protocol::HandshakeV10" and "Protocol::SSLRequest": the server speaks first, TLS needs no answer. */
export function createMysqlScript(): StarttlsScript {
  return {
    protocol: 'mysql',
    first: EMPTY,
    read(bytes): ScriptStep | undefined {
      if (bytes.length < MYSQL_HEADER_BYTES) return undefined;
      const length = bytes.readUIntLE(0, 3);
      if (length > MESSAGE_LIMIT_BYTES) throw messageTooLong('mysql');
      if (bytes[3] !== 0) throw unexpected('mysql', `packet ${bytes[3] ?? 0} before packet 0`);
      if (bytes.length < MYSQL_HEADER_BYTES + length) return undefined;
      checkMysqlGreeting(bytes.subarray(MYSQL_HEADER_BYTES, MYSQL_HEADER_BYTES + length));
      return { usedBytes: MYSQL_HEADER_BYTES + length, send: encodeMysqlSslRequest(), isReady: true };
    },
  };
}

function checkMysqlGreeting(greeting: Buffer): void {
  if (greeting[0] === 0xff && greeting.length >= 3) {
    const text = greeting.toString('utf8', 3).replace(/^#.{5}/, '');
    throw serverRefusal('mysql', text, greeting.readUInt16LE(1));
  }
  const versionEnd = greeting.indexOf(0, 1);
  // Behind the version: thread id 4, salt 8, filler 1, then the lower half of the capabilities.
  const capabilitiesAt = versionEnd + 1 + 13;
  if (greeting[0] !== 10 || versionEnd < 0 || greeting.length < capabilitiesAt + 2) {
    throw unexpected('mysql', `a greeting of version ${greeting[0] ?? 0}`);
  }
  if ((greeting.readUInt16LE(capabilitiesAt) & MYSQL_SSL) === 0) throw notOffered('mysql');
}

function encodeMysqlSslRequest(): Buffer {
  const request = Buffer.alloc(MYSQL_HEADER_BYTES + 32);
  request[0] = 32;
  request[3] = 1;
  request.writeUInt32LE(MYSQL_CAPABILITIES, 4);
  request.writeUInt32LE(0x01000000, 8);
  request[12] = MYSQL_UTF8MB4;
  return request;
}

const LDAP_SEQUENCE = 0x30;
const LDAP_INTEGER = 0x02;
const LDAP_ENUMERATED = 0x0a;
const LDAP_OCTET_STRING = 0x04;
/** ExtendedResponse, RFC 4511 section 4.12. */
const LDAP_EXTENDED_RESPONSE = 0x78;

/** RFC 4511 section 4.14: the extended request 1.3.6.1.4.1.1466.20037 with message id 1. */
export function createLdapScript(): StarttlsScript {
  return {
    protocol: 'ldap',
    first: Buffer.concat([Buffer.from('301d02010177188016', 'hex'), Buffer.from('1.3.6.1.4.1.1466.20037')]),
    read(bytes) {
      const message = readBer(bytes, LDAP_SEQUENCE);
      if (!message) return undefined;
      const id = readWhole(message.value, LDAP_INTEGER);
      const response = readWhole(id.rest, LDAP_EXTENDED_RESPONSE);
      const code = readWhole(response.value, LDAP_ENUMERATED);
      const matched = readWhole(code.rest, LDAP_OCTET_STRING);
      const text = readWhole(matched.rest, LDAP_OCTET_STRING).value.toString();
      const status = code.value.length === 1 ? code.value[0] : undefined;
      const messageId = id.value.length === 1 ? id.value[0] : undefined;
      // Message id 0 is the notice of disconnection, whatever its code (section 4.4.1).
      if (messageId === 1 && status === 0) return { usedBytes: message.usedBytes, isReady: true };
      throw serverRefusal('ldap', text === '' ? `result ${status ?? 'unknown'}` : text, status);
    },
  };
}

interface BerValue {
  readonly value: Buffer;
  readonly rest: Buffer;
  readonly usedBytes: number;
}

/** One BER element of the expected tag, with a definite length of at most four bytes; undefined while it is not whole. */
function readBer(bytes: Buffer, tag: number): BerValue | undefined {
  const [found, first] = bytes;
  if (found !== undefined && found !== tag) throw unexpected('ldap', `tag ${found} for ${tag}`);
  if (first === undefined) return undefined;
  const lengthBytes = first < 0x80 ? 0 : first - 0x80;
  if (lengthBytes > 4 || first === 0x80) throw unexpected('ldap', 'a length without end');
  if (bytes.length < 2 + lengthBytes) return undefined;
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(2, lengthBytes);
  if (length > MESSAGE_LIMIT_BYTES) throw messageTooLong('ldap');
  const start = 2 + lengthBytes;
  const usedBytes = start + length;
  if (bytes.length < usedBytes) return undefined;
  return { value: bytes.subarray(start, usedBytes), rest: bytes.subarray(usedBytes), usedBytes };
}

/** An element inside a message that is there whole. */
function readWhole(bytes: Buffer, tag: number): BerValue {
  const found = readBer(bytes, tag);
  if (!found) throw unexpected('ldap', 'a message that ends too early');
  return found;
}
