import { plainAddress } from '../address/address.ts';
import type { Socket } from '../net/index.ts';
import { violation } from '../protocol/protocol-error.ts';
import { encodeProxyV1, encodeProxyV2 } from '../protocol/proxy-protocol/encode.ts';
import { ProxyHeaderReceiver } from '../protocol/proxy-protocol/decode.ts';
import type { ProxyEnds, ProxyHeader } from '../protocol/proxy-protocol/header.ts';
import { HeadReader } from './head-reader.ts';
import type { Intake } from './intake.ts';

/**
 * Reads the PROXY header that each client begins with.
 *
 * @throws ProtocolError, TnetError TNET_E_TIMEOUT, SaidNothing, or the socket's error
 */
export async function readProxyHeader(client: Socket, known: Intake, limitMs: number): Promise<Intake> {
  const reader = new HeadReader(client, limitMs, known);
  const receiver = new ProxyHeaderReceiver();
  for (;;) {
    const chunk = await reader.nextOfGreeting();
    if (!chunk)
      throw violation('proxy-protocol', 'cut-short', 'the client ended before its PROXY header was whole');
    const received = receiver.receive(chunk);
    if (!received) continue;
    return { ...known, ...reader.finish(received.rest), header: received.header };
  }
}

/**
 * The header that a target gets: what was received, with its values where the version has room for them, or else the
 * client's own ends.
 */
export function createProxyHeader(version: 1 | 2, client: Socket, received: ProxyHeader | undefined): Buffer {
  const { command, ends, values } = received ?? { command: 'proxy', ends: endsOf(client), values: [] };
  if (version === 2) return encodeProxyV2({ command, ends, values });
  return encodeProxyV1(command === 'local' ? { family: 'unknown' } : ends);
}

/** The header of a connection that is the proxy's own, such as a check. */
export function createLocalHeader(version: 1 | 2): Buffer {
  const ends = { family: 'unknown' } as const;
  return version === 2 ? encodeProxyV2({ command: 'local', ends, values: [] }) : encodeProxyV1(ends);
}

function endsOf(client: Socket): ProxyEnds {
  const { remoteAddress, remotePort = 0, localAddress, localPort = 0 } = client;
  if (remoteAddress === undefined || localAddress === undefined) {
    return { family: 'unix', source: '', destination: '' };
  }
  const [source, destination] = [plainAddress(remoteAddress), plainAddress(localAddress)];
  return {
    family: source.includes(':') ? 'tcp6' : 'tcp4',
    source: { host: source, port: remotePort },
    destination: { host: destination, port: localPort },
  };
}
