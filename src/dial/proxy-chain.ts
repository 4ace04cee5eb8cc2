import { errorCode, TnetError } from '../errors.ts';
import { isIP, type Socket } from '../net/index.ts';
import { isLoopbackName } from '../address/host-rules.ts';
import { lookupFirst, loopbackAddresses } from '../net/lookup.ts';
import { HttpConnectClient } from '../protocol/http-connect/client.ts';
import { ProtocolError } from '../protocol/protocol-error.ts';
import { SocksClient } from '../protocol/socks/client.ts';
import { converse, type Answer } from '../net/converse.ts';
import { formatHostPort } from '../address/endpoint.ts';
import { formatProxy, type ProxyHop } from '../address/proxy-url.ts';

export interface Target {
  readonly host: string;
  readonly port: number;
}

export interface ChainOptions {
  /** Opens a plain connection to the first proxy. */
  readonly connect: (target: Target) => Promise<Socket>;
  /** Puts TLS to a proxy on the connection to it. */
  readonly secure: (socket: Socket, hop: ProxyHop) => Promise<void>;
  /** Ends the whole chain. */
  readonly signal: AbortSignal;
  /** Judges the target's address, or its name if the address is not known here: an error forbids it. */
  readonly judge?: ((address: string, isName: boolean) => Error | undefined) | undefined;
  /** Called when a proxy has opened the way to the next one, or to the target. */
  readonly onHop?: ((proxy: string, target: string) => void) | undefined;
}

/**
 * A proxy that answers with a challenge and closes is connected to again: for Digest once more when its nonce is
 * stale.
 */
const callLimit = 4;

/**
 * Opens a connection to the target through proxies, the first of them connected to directly, and each of the others
 * through the one before it. The target's name is resolved by the last proxy; SOCKS4, which takes addresses only,
 * gets it resolved here.
 *
 * @throws TnetError TNET_E_PROXY with the proxy as its subject, an error of the connection to the first proxy with the
 *   proxy as its `subject`, or the signal's reason. Then nothing stays open.
 */
export async function connectThrough(
  proxies: readonly ProxyHop[],
  target: Target,
  options: ChainOptions,
): Promise<Socket> {
  const hop = proxies.at(-1);
  if (!hop) return options.connect(target);
  const before = proxies.slice(0, -1);
  const client = await createClient(hop, target, options.judge);
  for (let calls = 1; ; calls++) {
    const socket = await callHop(before, hop, options);
    try {
      if (hop.protocol === 'https') await secureHop(socket, hop, target, options);
      const verdict = await talk(socket, client, { hop, target, signal: options.signal });
      if (verdict === 'open') {
        options.onHop?.(formatProxy(hop), formatHostPort(target.host, target.port));
        return socket;
      }
      socket.destroy();
      if (calls >= callLimit)
        throw hopError(hop, target, 'the proxy asks for authentication again and again');
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }
}

async function callHop(before: readonly ProxyHop[], hop: ProxyHop, options: ChainOptions): Promise<Socket> {
  try {
    return await connectThrough(before, hop, { ...options, judge: undefined });
  } catch (error) {
    // The first one's failure comes from the system; every later one names its proxy already.
    if (
      before.length === 0 &&
      error instanceof Error &&
      !options.signal.aborted &&
      !(error instanceof TnetError)
    ) {
      Object.assign(error, { subject: formatProxy(hop) });
    }
    throw error;
  }
}

async function secureHop(
  socket: Socket,
  hop: ProxyHop,
  target: Target,
  { secure, signal }: ChainOptions,
): Promise<void> {
  try {
    await secure(socket, hop);
  } catch (error) {
    throw signal.aborted ? error : hopError(hop, target, (error as Error).message, error);
  }
}

type Verdict = 'open' | 'call-again';
type Client = SocksClient | HttpConnectClient;

async function createClient(hop: ProxyHop, target: Target, judge: ChainOptions['judge']): Promise<Client> {
  const { protocol, user, password } = hop;
  const host = protocol === 'socks4' && isIP(target.host) === 0 ? await resolve4(hop, target) : target.host;
  const known = listKnownAddresses(host);
  for (const address of known.length > 0 ? known : [host]) {
    const denial = judge?.(address, known.length === 0);
    if (denial) throw denial;
  }
  try {
    if (protocol === 'http' || protocol === 'https') {
      const credentials = user === undefined ? undefined : { user, password: password ?? '' };
      return new HttpConnectClient({ host, port: target.port, ...(credentials && { credentials }) });
    }
    const version = protocol === 'socks4' ? '4' : protocol === 'socks4a' ? '4a' : '5';
    return new SocksClient({
      version,
      host,
      port: target.port,
      ...(user !== undefined && { user }),
      ...(version === '5' && user !== undefined && { password: password ?? '' }),
    });
  } catch (error) {
    throw explain(error, hop, target);
  }
}

/** The addresses that a host certainly means, wherever it is looked up: for other names only the proxy knows. */
function listKnownAddresses(host: string): readonly string[] {
  if (isIP(host) !== 0) return [host];
  return isLoopbackName(host) ? loopbackAddresses().map(({ address }) => address) : [];
}

async function resolve4(hop: ProxyHop, { host, port }: Target): Promise<string> {
  try {
    return (await lookupFirst(host, { family: 4 })).address;
  } catch (error) {
    const message = `SOCKS4 needs an IPv4 address, and ${host} has none (${errorCode(error) ?? 'unknown'})`;
    throw hopError(hop, { host, port }, message);
  }
}

async function talk(
  socket: Socket,
  client: Client,
  { hop, target, signal }: { hop: ProxyHop; target: Target; signal: AbortSignal },
): Promise<Verdict> {
  try {
    return await converse<Verdict>(socket, {
      first: client.start(),
      receive: (chunk) => toAnswer(client.receive(chunk)),
      cut: { code: 'TNET_E_PROXY', message: 'the proxy ended the connection instead of answering' },
      signal,
    });
  } catch (error) {
    throw signal.aborted ? error : explain(error, hop, target);
  }
}

function toAnswer(step: ReturnType<Client['receive']>): Answer<Verdict> {
  if ('reconnect' in step) return { done: { value: 'call-again', rest: Buffer.alloc(0) } };
  return { send: step.send, done: step.done && { value: 'open', rest: step.done.rest } };
}

function explain(error: unknown, hop: ProxyHop, target: Target): unknown {
  if (error instanceof ProtocolError) return hopError(hop, target, error.message, error);
  if (error instanceof TnetError) return hopError(hop, target, error.message, error);
  const code = errorCode(error);
  return code === undefined
    ? error
    : hopError(hop, target, `the proxy broke off the connection (${code})`, error);
}

function hopError(hop: ProxyHop, { host, port }: Target, sentence: string, cause?: unknown): TnetError {
  const message = `no way to ${formatHostPort(host, port)}: ${sentence}`;
  return new TnetError('TNET_E_PROXY', message, { subject: formatProxy(hop), cause });
}
