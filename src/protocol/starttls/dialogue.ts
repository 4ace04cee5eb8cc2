import { HandshakeState } from '../handshake-state.ts';
import { overLimit, ProtocolError, refusal, violation } from '../protocol-error.ts';

/** The protocols whose plain connection can be turned into TLS. */
export type StarttlsProtocol = 'smtp' | 'imap' | 'pop3' | 'ftp' | 'postgres' | 'ldap' | 'xmpp' | 'mysql';

/** The longest line, packet or tag of a server that is read. */
export const MESSAGE_LIMIT_BYTES = 16 * 1024;
/** The most lines, packets or tags before TLS. */
export const MESSAGE_COUNT_LIMIT = 256;
const SHOWN_LIMIT = 200;

/** What a message of the server leads to. */
export interface ScriptStep {
  /** How many bytes the message takes. */
  readonly usedBytes: number;
  readonly send?: Buffer;
  /** TLS starts now (after `send`, if there is any). */
  readonly isReady?: boolean;
}

/** One protocol's way to TLS. */
export interface StarttlsScript {
  readonly protocol: StarttlsProtocol;
  /** What the client says first; empty where the server does. */
  readonly first: Buffer;
  /** Reads the message at the start of `bytes`; undefined while it is not whole. Throws for a refusal. */
  read(bytes: Buffer): ScriptStep | undefined;
}

/** What a chunk of the server led to. All fields absent = more bytes are needed. */
export interface StarttlsStep {
  /** Send this, in plain text. */
  readonly send?: Buffer;
  /** After `send`, start TLS on the connection. */
  readonly ready?: true;
}

/** What the server said, made safe to show: controls and invisible characters replaced, cut to a line. */
function showServerText(text: string): string {
  const clean = text.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return clean.length > SHOWN_LIMIT ? `${clean.slice(0, SHOWN_LIMIT)}…` : clean;
}

/** The server will not start TLS, in its own words. */
export function serverRefusal(protocol: StarttlsProtocol, text: string, status?: number): ProtocolError {
  return refusal(protocol, 'refused', `the server does not start TLS: ${showServerText(text)}`, { status });
}

/** The server speaks the protocol but has no TLS to offer. */
export function notOffered(protocol: StarttlsProtocol): ProtocolError {
  return refusal(protocol, 'not-offered', 'the server does not offer TLS on this port');
}

/** The server says something that does not belong here. */
export function unexpected(protocol: StarttlsProtocol, text: string): ProtocolError {
  return violation(
    protocol,
    'unexpected',
    `the server did not answer in ${protocol}: ${showServerText(text)}`,
  );
}

/** A line, packet or tag is over {@link MESSAGE_LIMIT_BYTES}. */
export function messageTooLong(protocol: StarttlsProtocol): ProtocolError {
  return overLimit(
    protocol,
    'message-too-long',
    `the server's message is longer than ${MESSAGE_LIMIT_BYTES} bytes`,
  );
}

/**
 * The plain-text talk before TLS, as a client: send `start()`, give what arrives to `receive()`, send what it says,
 * until `ready`. Bytes that the server sent after its consent are an error: a man in the middle could have put them
 * there to be taken for the server's words inside TLS (CVE-2011-0411, CVE-2021-23222). Keeps at most {@link
 * MESSAGE_LIMIT_BYTES} beside the last chunk.
 */
export class StarttlsDialogue {
  readonly #script: StarttlsScript;
  readonly #state: HandshakeState;
  #messageCount = 0;
  #isReady = false;

  constructor(script: StarttlsScript) {
    this.#script = script;
    this.#state = new HandshakeState(script.protocol);
  }

  /** How many bytes of the server are kept for later. */
  get bufferedBytes(): number {
    return this.#state.queue.length;
  }

  /** The first bytes to send; empty where the server speaks first. */
  start(): Buffer {
    return this.#script.first;
  }

  /**
   * Takes a chunk from the server, cut anywhere.
   * @throws ProtocolError TNET_E_PROTOCOL_REFUSED with the server's own words, TNET_E_PROTOCOL (`surplus-bytes` for
   *   plain bytes after the consent), TNET_E_PROTOCOL_LIMIT.
   */
  receive(chunk: Buffer): StarttlsStep {
    return this.#state.receive(chunk, () => {
      const sends: Buffer[] = [];
      while (!this.#isReady) {
        const step = this.#script.read(this.#state.queue.peek());
        if (!step) break;
        this.#take(step, sends);
      }
      if (this.#isReady && this.#state.queue.length > 0) {
        throw violation(
          this.#script.protocol,
          'surplus-bytes',
          'the server sent unencrypted bytes after it had agreed to TLS, and they may be forged',
        );
      }
      return {
        ...(sends.length > 0 ? { send: Buffer.concat(sends) } : {}),
        ...(this.#isReady ? { ready: true } : {}),
      };
    });
  }

  #take({ usedBytes, send, isReady = false }: ScriptStep, sends: Buffer[]): void {
    this.#messageCount += 1;
    if (this.#messageCount > MESSAGE_COUNT_LIMIT) {
      const sentence = `the server sent more than ${MESSAGE_COUNT_LIMIT} messages and no TLS`;
      throw overLimit(this.#script.protocol, 'too-many-messages', sentence);
    }
    this.#state.queue.drop(usedBytes);
    if (send) sends.push(send);
    this.#isReady = isReady;
  }
}
