import { HandshakeState } from '../handshake-state.ts';
import { bytesToIp } from '../../address/address.ts';
import {
  overLimit,
  ProtocolError,
  refusal,
  violation,
  type ProtocolErrorDetails,
} from '../protocol-error.ts';
import { decodeName, DOMAIN_LIMIT_BYTES, readAddress } from './address.ts';
import { commandCodes, methods, type SocksCommand, encodeSocksReply, type SocksReply } from './messages.ts';

/** The longest SOCKS4 user id that is read, in bytes. The protocol itself sets none. */
const USER_ID_LIMIT_BYTES = 255;
/** How much a client may send ahead while its password is being checked. */
export const AHEAD_LIMIT_BYTES = 64 * 1024;

/** What a {@link SocksServer} is made with. */
export interface SocksServerOptions {
  /** `none`: any client. `password`: SOCKS5 with RFC 1929 only; SOCKS4, which has no password, is refused. */
  readonly authentication: 'none' | 'password';
}

/** What a client asks for. From here on the connection is the caller's: answer with `encodeSocksReply()`. */
export interface SocksRequest {
  readonly version: 4 | 5;
  readonly command: SocksCommand;
  readonly host: string;
  readonly port: number;
  /** The SOCKS4 user id (never verified), or the SOCKS5 user whose password was accepted. */
  readonly user: string | undefined;
  /** Bytes the client sent after the request: the beginning of the stream. */
  readonly rest: Buffer;
}

/** What a chunk of the client led to. All fields absent = more bytes are needed. */
export interface SocksServerStep {
  /** Send this, before anything else. */
  readonly send?: Buffer;
  /** Check these, then call `accept()` or `refuse()`. */
  readonly credentials?: { readonly user: string; readonly password: string };
  readonly request?: SocksRequest;
}

const commandsByCode = new Map(
  Object.entries(commandCodes).map(([name, code]) => [code as number, name as SocksCommand]),
);

/**
 * The server's side of SOCKS 4, 4a and 5 (RFC 1928, RFC 1929), the version chosen by the client's first byte. An
 * error carries in `reply` what the client should be sent before the connection is closed. It keeps less than 600
 * bytes beside the last chunk, and at most {@link AHEAD_LIMIT_BYTES} more while a password is being checked.
 */
export class SocksServer {
  readonly #options: SocksServerOptions;
  readonly #state = new HandshakeState('socks5');
  #phase: 'greeting' | 'password' | 'deciding' | 'request' = 'greeting';
  #user: string | undefined;
  /** Answers of the call in progress that an error must not lose. */
  #sends: Buffer[] = [];

  constructor(options: SocksServerOptions) {
    this.#options = options;
  }

  /** How many bytes of the client are kept for later. */
  get bufferedBytes(): number {
    return this.#state.queue.length;
  }

  /**
   * Takes a chunk from the client, cut anywhere.
   * @throws ProtocolError TNET_E_PROTOCOL for what is not SOCKS or not offered, TNET_E_PROTOCOL_REFUSED for a client
   * that offers no fitting authentication, TNET_E_PROTOCOL_LIMIT; each with `reply` where the protocol has one.
   */
  receive(chunk: Buffer): SocksServerStep {
    return this.#state.receive(chunk, () => this.#advance());
  }

  /** The credentials are right: the answer to send, and the request when it has come already. */
  accept(): SocksServerStep {
    return this.#state.receive(Buffer.alloc(0), () => {
      this.#phase = 'request';
      this.#sends.push(Buffer.from([1, 0]));
      return this.#advance();
    });
  }

  /** The credentials are wrong: the answer to send before closing (RFC 1929 section 2). */
  refuse(): Buffer {
    this.#state.finish();
    return Buffer.from([1, 1]);
  }

  #advance(): SocksServerStep {
    try {
      let step: SocksServerStep = {};
      for (let next = this.#parse(); next; next = this.#parse()) {
        step = next;
        if (next.request ?? next.credentials) break;
      }
      return this.#sends.length > 0 ? { ...step, send: Buffer.concat(this.#sends) } : step;
    } catch (error) {
      throw error instanceof ProtocolError && this.#sends.length > 0 ? this.#withSends(error) : error;
    } finally {
      this.#sends = [];
    }
  }

  #withSends(error: ProtocolError): ProtocolError {
    const reply = Buffer.concat([...this.#sends, error.reply ?? Buffer.alloc(0)]);
    const { code, protocol, reason, message, status } = error;
    return new ProtocolError(code, message, { protocol, reason, reply, status });
  }

  #parse(): SocksServerStep | undefined {
    const version = this.#state.queue.peek()[0];
    if (this.#phase === 'deciding') this.#checkAhead();
    if (version === undefined) return undefined;
    switch (this.#phase) {
      case 'password':
        return this.#readPassword();
      case 'request':
        return this.#readRequest5();
      case 'deciding':
        return undefined;
      case 'greeting':
        if (version === 5) return this.#readGreeting();
        if (version === 4) return this.#readRequest4();
        throw violation(
          'socks5',
          'bad-version',
          `the first byte of the client is ${version}, which is not SOCKS`,
        );
    }
  }

  #checkAhead(): void {
    if (this.#state.queue.length <= AHEAD_LIMIT_BYTES) return;
    throw overLimit('socks5', 'too-much-ahead', 'the client sends too much before its password is checked');
  }

  /** RFC 1928 section 3. */
  #readGreeting(): SocksServerStep | undefined {
    const bytes = this.#state.queue.peek();
    const count = bytes[1];
    if (count === undefined || bytes.length < 2 + count) return undefined;
    const wanted = this.#options.authentication === 'none' ? methods.none : methods.password;
    const isOffered = bytes.subarray(2, 2 + count).includes(wanted);
    this.#state.queue.drop(2 + count);
    if (!isOffered) {
      throw refusal('socks5', 'no-acceptable-method', `the client does not offer method ${wanted}`, {
        reply: Buffer.from([5, methods.unacceptable]),
      });
    }
    this.#phase = wanted === methods.password ? 'password' : 'request';
    this.#sends.push(Buffer.from([5, wanted]));
    return {};
  }

  /** RFC 1929 section 2. */
  #readPassword(): SocksServerStep | undefined {
    const bytes = this.#state.queue.peek();
    if (bytes[0] !== 1) {
      throw violation('socks5', 'bad-version', `the client sent its password in version ${bytes[0] ?? 0}`, {
        reply: Buffer.from([1, 1]),
      });
    }
    const userEnd = 2 + (bytes[1] ?? 0);
    const passwordEnd = userEnd + 1 + (bytes[userEnd] ?? 0);
    if (bytes.length < 2 || bytes.length <= userEnd || bytes.length < passwordEnd) return undefined;
    const user = bytes.toString('utf8', 2, userEnd);
    const password = bytes.toString('utf8', userEnd + 1, passwordEnd);
    this.#state.queue.drop(passwordEnd);
    this.#phase = 'deciding';
    this.#user = user;
    return { credentials: { user, password } };
  }

  /** RFC 1928 section 4. */
  #readRequest5(): SocksServerStep | undefined {
    const bytes = this.#state.queue.peek();
    const fail = (reply: SocksReply): ProtocolErrorDetails => ({ reply: encodeSocksReply(5, reply) });
    if (bytes[0] !== 5) {
      throw violation('socks5', 'bad-version', `the client's request has version ${bytes[0] ?? 0}`, {
        ...fail('general-failure'),
      });
    }
    const code = bytes[1];
    if (code === undefined) return undefined;
    const command = commandsByCode.get(code);
    if (!command) {
      throw violation(
        'socks5',
        'bad-command',
        `there is no SOCKS5 command ${code}`,
        fail('command-not-supported'),
      );
    }
    const details = { type: fail('address-type-not-supported'), host: fail('general-failure') };
    const read = readAddress(bytes, 3, details);
    if (!read) return undefined;
    this.#state.queue.drop(read.end);
    return {
      request: { version: 5, command, ...read.address, user: this.#user, rest: this.#state.finish() },
    };
  }

  /** The SOCKS4 request, with the name of 4a after the user id when the address is 0.0.0.x. */
  #readRequest4(): SocksServerStep | undefined {
    const bytes = this.#state.queue.peek();
    const fail: ProtocolErrorDetails = { reply: encodeSocksReply(4, 'general-failure') };
    if (this.#options.authentication === 'password') {
      throw refusal(
        'socks4',
        'no-acceptable-method',
        'a password is required, and SOCKS4 does not support passwords',
        fail,
      );
    }
    const code = bytes[1];
    if (code === undefined) return undefined;
    const command = commandsByCode.get(code);
    if (!command || command === 'udp-associate') {
      throw violation('socks4', 'bad-command', `there is no SOCKS4 command ${code}`, fail);
    }
    const userEnd = findNul(bytes, 8, USER_ID_LIMIT_BYTES, fail);
    if (userEnd === undefined) return undefined;
    const literal = bytes.subarray(4, 8);
    const isName = literal[0] === 0 && literal[1] === 0 && literal[2] === 0 && literal[3] !== 0;
    const end = isName ? findNul(bytes, userEnd + 1, DOMAIN_LIMIT_BYTES, fail) : userEnd;
    if (end === undefined) return undefined;
    const host = isName ? decodeName('socks4', bytes.subarray(userEnd + 1, end), fail) : bytesToIp(literal);
    const user = bytes.toString('utf8', 8, userEnd);
    const port = bytes.readUInt16BE(2);
    this.#state.queue.drop(end + 1);
    return { request: { version: 4, command, host, port, user, rest: this.#state.finish() } };
  }
}

/** The position of the NUL at the end of a SOCKS4 field, or undefined while it has not arrived. */
function findNul(
  bytes: Buffer,
  from: number,
  limitBytes: number,
  fail: ProtocolErrorDetails,
): number | undefined {
  const field = bytes.subarray(from, from + limitBytes + 1);
  const length = field.indexOf(0);
  if (length >= 0) return from + length;
  if (field.length > limitBytes) {
    throw overLimit(
      'socks4',
      'field-too-long',
      `a field of the request is longer than ${limitBytes} bytes`,
      fail,
    );
  }
  return undefined;
}
