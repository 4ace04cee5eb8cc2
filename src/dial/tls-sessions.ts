import type { TLSSocket } from '../net/tls.ts';

/** The sessions of one connection. */
export interface SessionGathering {
  /** Called with the layer before its handshake. */
  watch(layer: TLSSocket): void;
  /** The handshake has succeeded, and the server is the right one. */
  accept(): void;
  /** It has not: the session that was offered may be why. */
  refuse(): void;
}

/** How many targets' sessions are kept: a session is some 2 kB. */
const defaultLimit = 256;

/**
 * The last TLS session of each target, for the next connection to go on from, which spares the server its signature and
 * us the certificate's check. One of these serves connections of the same settings only: a session says nothing of what
 * has been verified.
 */
export class TlsSessions {
  readonly #sessions = new Map<string, Buffer>();
  readonly #limit: number;

  constructor(limit = defaultLimit) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** The session to offer to a target. */
  find(target: string): Buffer | undefined {
    return this.#sessions.get(target);
  }

  /**
   * Gathers a connection's sessions from before its handshake on: TLS 1.3 sends them at any time after it, an older
   * version within it. Nothing is kept until it is said that the server is the right one.
   */
  gather(target: string): SessionGathering {
    let latest: Buffer | undefined;
    let isAccepted = false;
    return {
      watch: (layer) => {
        layer.on('session', (session: Buffer) => {
          latest = session;
          if (isAccepted) this.#keep(target, session);
        });
      },
      accept: () => {
        isAccepted = true;
        if (latest) this.#keep(target, latest);
      },
      refuse: () => void this.#sessions.delete(target),
    };
  }

  #keep(target: string, session: Buffer): void {
    this.#sessions.delete(target);
    this.#sessions.set(target, session);
    const [oldest] = this.#sessions.keys();
    if (this.#sessions.size > this.#limit && oldest !== undefined) this.#sessions.delete(oldest);
  }
}
