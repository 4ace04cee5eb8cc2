import { isIP } from '../address/ip.ts';
import { TnetError } from '../errors.ts';
import { converse } from '../net/converse.ts';
import type { Socket } from '../net/index.ts';
import { withoutRootDot } from '../net/lookup.ts';
import { createStarttls } from '../protocol/starttls/create-starttls.ts';
import type { StarttlsProtocol } from '../protocol/starttls/dialogue.ts';
import { matchesPin } from './certificate.ts';
import { createContext } from './tls-files.ts';
import { shakeHands, type TlsSettings } from './tls-handshake.ts';
import type { TLSSocket } from '../net/tls.ts';

/** The TLS settings for connections to servers. */
export interface TlsClientSettings extends TlsSettings {
  /** The name to ask for and to find in the certificate. Default: the host that was dialled. */
  readonly servername?: string | undefined;
  /**
   * SHA-256 of the public key or of the certificate; one of them must match the peer's. Default: none is required.
   */
  readonly pins?: readonly Buffer[] | undefined;
  /** The plain protocol that is upgraded to TLS first. */
  readonly starttls?: StarttlsProtocol | undefined;
  /**
   * Where sessions are kept for the next connection with these settings. Default: every handshake is a full one.
   */
  readonly sessions?: TlsSessions | undefined;
}

/** The server that is connected to. */
export interface TlsServerName {
  /** The name dialled, which the certificate must be for when the settings name none. */
  readonly host: string;
  /** What distinguishes the server from others of the same name, for its session. */
  readonly address: string;
  /** It is a proxy on the way. Default false. */
  readonly isProxy?: boolean;
}

/** A client that checks the server's certificate against the authorities of this machine. */
export function createDefaultSettings(): TlsClientSettings {
  return { context: createContext({}, undefined, true), verify: true };
}

/**
 * Puts TLS, as the client, on a connected socket, in place, after STARTTLS if that is asked for. When it throws,
 * closing the connection is still up to the caller.
 *
 * @throws as shakeHands() does, TnetError TNET_E_TLS for a wrong pin too, and ProtocolError from STARTTLS
 */
export async function startTls(
  socket: Socket,
  settings: TlsClientSettings,
  { host, address, isProxy }: TlsServerName,
  signal?: AbortSignal,
): Promise<void> {
  const { starttls, sessions, pins = [] } = settings;
  const name = withoutRootDot(settings.servername ?? host);
  if (starttls) await leadToTls(socket, starttls, name, signal);
  const target = `${address} ${name}`;
  const gathering = sessions?.gather(target);
  try {
    const [leaf] = await shakeHands(socket, settings, {
      name,
      isProxy,
      signal,
      side: {
        isServer: false,
        host: name,
        servername: isIP(name) === 0 ? name : '',
        session: sessions?.find(target),
      },
      onLayer: (layer) => gathering?.watch(layer),
    });
    // A resumed session shows no certificate: it was kept for these same settings, from a server whose pin was
    // right.
    const isKnown = socket.secureLayer?.isSessionReused() ?? false;
    if (pins.length > 0 && !isKnown && !(leaf && pins.some((pin) => matchesPin(leaf, pin)))) {
      throw new TnetError('TNET_E_TLS', "the server's key does not match --tls-pin");
    }
  } catch (error) {
    gathering?.refuse();
    throw error;
  }
  gathering?.accept();
}

async function leadToTls(
  socket: Socket,
  protocol: StarttlsProtocol,
  host: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const dialogue = createStarttls(protocol, { host });
  await converse(socket, {
    first: dialogue.start(),
    receive(chunk) {
      const { send, ready } = dialogue.receive(chunk);
      return { send, done: ready && { value: true, rest: Buffer.alloc(0) } };
    },
    cut: { code: 'TNET_E_TLS', message: `the server ended the connection before TLS (${protocol})` },
    signal,
  });
}

/** The sessions of one connection. */
export interface SessionGathering {
  /** Called with the layer before its handshake. */
  watch(layer: TLSSocket): void;
  /** The handshake has succeeded, and the server is the right one. */
  accept(): void;
  /** The handshake failed: the session that was offered may be why. */
  refuse(): void;
}

/** How many targets' sessions are kept: a session is about 2 kB. */
const defaultLimit = 256;

/**
 * The last TLS session of each target, for the next connection to resume, which spares the server a signature and
 * us the certificate check. An instance serves only connections with the same settings: a session does not say what
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
   * version within it. Nothing is kept until accept() confirms that the server is the right one.
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
