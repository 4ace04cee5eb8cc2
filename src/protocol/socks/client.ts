import { HandshakeState } from '../handshake-state.ts';
import { bytesToIp } from '../../address/address.ts';
import { refusal, violation, type ProtocolName } from '../protocol-error.ts';
import { checkPort, readAddress, type SocksAddress } from './address.ts';
import {
  explainReply4,
  explainReply5,
  encodePassword,
  encodeRequest4,
  encodeRequest5,
  methods,
  type SocksClientOptions,
} from './messages.ts';

/** What a chunk of the proxy led to. All fields absent = more bytes are needed. */
export interface SocksClientStep {
  /** Send this. */
  readonly send?: Buffer;
  /** BIND only: where the proxy listens; `done` follows when a peer has connected there. */
  readonly listening?: SocksAddress;
  /** The handshake is over. */
  readonly done?: {
    /** The proxy's own address towards the target; BIND: who connected; UDP ASSOCIATE: where to send datagrams. */
    readonly boundAddress: SocksAddress;
    /** Bytes after the handshake: the beginning of the stream. */
    readonly rest: Buffer;
  };
}

const REPLY4_BYTES = 8;

/**
 * The client's side of SOCKS 4, 4a and 5 (RFC 1928, RFC 1929): send `start()`, give what arrives to `receive()`,
 * send what it says, until `done`. It keeps less than 600 bytes beside the chunk it was given last.
 */
export class SocksClient {
  readonly #options: SocksClientOptions;
  readonly #state: HandshakeState;
  readonly #protocol: ProtocolName;
  #phase: 'method' | 'password' | 'reply' | 'second-reply' = 'reply';
  readonly #firstBytes: Buffer;
  readonly #request: Buffer;

  /** @throws ProtocolError TNET_E_PROTOCOL_INPUT when the version cannot carry the target, user or password. */
  constructor(options: SocksClientOptions) {
    this.#options = options;
    this.#protocol = options.version === '5' ? 'socks5' : 'socks4';
    this.#state = new HandshakeState(this.#protocol);
    checkPort(this.#protocol, options.port);
    if (options.version === '5') {
      this.#request = encodeRequest5(options);
      if (options.user !== undefined) encodePassword(options);
      const offered = options.user === undefined ? [methods.none] : [methods.none, methods.password];
      this.#firstBytes = Buffer.from([5, offered.length, ...offered]);
      this.#phase = 'method';
    } else this.#firstBytes = this.#request = encodeRequest4(options);
  }

  /** How many bytes of the proxy are kept for later. */
  get bufferedBytes(): number {
    return this.#state.queue.length;
  }

  /** The first bytes to send. */
  start(): Buffer {
    return this.#firstBytes;
  }

  /**
   * Takes a chunk from the proxy, cut anywhere.
   * @throws ProtocolError TNET_E_PROTOCOL_REFUSED when the proxy says no (`status` is its code), TNET_E_PROTOCOL
   * when it does not speak SOCKS.
   */
  receive(chunk: Buffer): SocksClientStep {
    return this.#state.receive(chunk, () => {
      const sends: Buffer[] = [];
      let step: SocksClientStep = {};
      for (let next = this.#parse(); next; next = this.#parse()) {
        if (next.send) sends.push(next.send);
        step = { ...step, ...next };
        if (next.done) break;
      }
      return sends.length > 0 ? { ...step, send: Buffer.concat(sends) } : step;
    });
  }

  #parse(): SocksClientStep | undefined {
    switch (this.#phase) {
      case 'method':
        return this.#readMethod();
      case 'password':
        return this.#readPasswordStatus();
      case 'reply':
      case 'second-reply':
        return this.#options.version === '5' ? this.#readReply5() : this.#readReply4();
    }
  }

  /** RFC 1928 section 3: the method the proxy chose. */
  #readMethod(): SocksClientStep | undefined {
    const bytes = this.#state.queue.peek();
    this.#checkVersion(bytes[0]);
    const method = bytes[1];
    if (method === undefined) return undefined;
    this.#state.queue.drop(2);
    if (method === methods.none) {
      this.#phase = 'reply';
      return { send: this.#request };
    }
    if (method === methods.password && this.#options.user !== undefined) {
      this.#phase = 'password';
      return { send: encodePassword(this.#options) };
    }
    if (method === methods.unacceptable) {
      const sentence =
        this.#options.user === undefined
          ? 'the proxy requires a user and a password'
          : 'the proxy accepts neither a user and password nor a client without them';
      throw refusal('socks5', 'no-acceptable-method', sentence, { status: method });
    }
    throw violation('socks5', 'bad-method', `the proxy chose method ${method}, which was not offered`);
  }

  /** RFC 1929 section 2: 0 is success. The version byte is 1; some proxies send 5, which is let pass. */
  #readPasswordStatus(): SocksClientStep | undefined {
    const bytes = this.#state.queue.peek();
    const version = bytes[0];
    if (version !== undefined && version !== 1 && version !== 5) {
      throw violation('socks5', 'bad-version', `the proxy answered the password in version ${version}`);
    }
    const status = bytes[1];
    if (status === undefined) return undefined;
    if (status !== 0) {
      throw refusal('socks5', 'bad-credentials', 'the proxy does not accept this user and password', {
        status,
      });
    }
    this.#state.queue.drop(2);
    this.#phase = 'reply';
    return { send: this.#request };
  }

  /**
   * RFC 1928 section 6. A refusal is reported as soon as its code has arrived: some proxies send no more than that.
   */
  #readReply5(): SocksClientStep | undefined {
    const bytes = this.#state.queue.peek();
    this.#checkVersion(bytes[0]);
    const status = bytes[1];
    if (status === undefined) return undefined;
    if (status !== 0) {
      const { reason, sentence } = explainReply5(status);
      throw refusal('socks5', reason, sentence, { status });
    }
    const read = readAddress(bytes, 3);
    if (!read) return undefined;
    this.#state.queue.drop(read.end);
    return this.#granted(read.address);
  }

  #readReply4(): SocksClientStep | undefined {
    const bytes = this.#state.queue.peek();
    const version = bytes[0];
    // The paper says 0; some servers repeat the 4 of the request.
    if (version !== undefined && version !== 0 && version !== 4) {
      throw violation(
        'socks4',
        'bad-version',
        `the first byte of the proxy is ${version}, which is not SOCKS4`,
      );
    }
    const status = bytes[1];
    if (status === undefined) return undefined;
    if (status !== 90) {
      const { reason, sentence } = explainReply4(status);
      throw refusal('socks4', reason, sentence, { status });
    }
    if (bytes.length < REPLY4_BYTES) return undefined;
    const address = { host: bytesToIp(bytes.subarray(4, REPLY4_BYTES)), port: bytes.readUInt16BE(2) };
    this.#state.queue.drop(REPLY4_BYTES);
    return this.#granted(address);
  }

  /**
   * BIND is answered twice: with where the proxy listens, then with the peer that has connected (RFC 1928 section
   * 6).
   */
  #granted(address: SocksAddress): SocksClientStep {
    if (this.#options.command === 'bind' && this.#phase === 'reply') {
      this.#phase = 'second-reply';
      return { listening: address };
    }
    return { done: { boundAddress: address, rest: this.#state.finish() } };
  }

  #checkVersion(version: number | undefined): void {
    if (version === undefined || version === 5) return;
    throw violation(
      'socks5',
      'bad-version',
      `the first byte of the proxy is ${version}, which is not SOCKS5`,
    );
  }
}
