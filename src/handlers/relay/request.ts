import { formatHostPort } from '../../address/endpoint.ts';
import { errorCode, TnetError } from '../../errors.ts';
import type { Connection } from '../../net/connection.ts';
import type { Socket } from '../../net/index.ts';
import { plainAddress } from '../../address/address.ts';
import type { BoundAddress, TargetRequest } from '../../serve/greeting/greeting.ts';
import type { TargetRules } from './targets/rules.ts';
import {
  connectTarget,
  type TargetDialing,
  type OpenUpstream,
  type UpstreamRequest,
} from './targets/upstream.ts';

/** What the clients of a SOCKS or CONNECT proxy may ask for. */
export interface RequestRules {
  /** How what they name is connected to. */
  readonly dial: TargetDialing;
  /** What they may name. */
  readonly rules: TargetRules;
}

/**
 * Connects a client to what it asked for, or waits for the peer that is to connect to it, and answers it. Undefined
 * when that failed, which has been reported and answered.
 */
export async function openRequested(
  client: Socket,
  request: TargetRequest,
  { dial, rules }: RequestRules,
  { id, head, listener }: UpstreamRequest,
): Promise<OpenUpstream | undefined> {
  const { command, host: name, port } = request;
  const { host } = dial;
  const target = formatHostPort(name, port);
  try {
    const socket =
      command === 'bind'
        ? await acceptRequested(client, request, { dial, rules })
        : await connectNamed(request, { dial, rules }, { head, listener });
    client.write(request.grant(command === 'bind' ? peerOf(socket) : addressOf(socket)));
    return { socket, target };
  } catch (error) {
    if (host.signal.aborted) return undefined;
    host.fail(target, error, id);
    const code = errorCode(error);
    if (code === 'TNET_E_DENIED') host.ledger.refuse('target not allowed');
    client.end(request.refuse(code));
    return undefined;
  }
}

/**
 * Connects to what a client names.
 *
 * @throws TnetError TNET_E_DENIED where the rules forbid it, or what connectTarget() throws
 */
export async function connectNamed(
  { host, port }: Pick<TargetRequest, 'host' | 'port'>,
  { dial, rules }: RequestRules,
  { head, listener }: Pick<UpstreamRequest, 'head' | 'listener'>,
): Promise<Connection> {
  const judge = rules.judgeOf(host, port);
  return connectTarget({ kind: 'tcp', host, port }, dial, { head, judge, listener });
}

async function acceptRequested(
  client: Socket,
  request: TargetRequest,
  { dial: { host, timeoutMs, options }, rules }: RequestRules,
): Promise<Socket> {
  if (options?.proxies) throw noWayError('BIND');
  const { acceptBound } = await import('./socks/bind.ts');
  const announce = (bound: BoundAddress) => void client.write(request.grant(bound));
  const judge = (address: string) => rules.judgePeer(address, request.port);
  return acceptBound(client, request, { host, connectMs: timeoutMs, announce, judge });
}

/** The error for a command that a chain of proxies does not carry: it must not take another way. */
export function noWayError(command: string): TnetError {
  return new TnetError('TNET_E_UNSUPPORTED', `${command} does not go through other proxies`);
}

function addressOf({ localAddress = '0.0.0.0', localPort = 0 }: Connection): BoundAddress {
  return { host: plainAddress(localAddress), port: localPort };
}

function peerOf({ remoteAddress = '0.0.0.0', remotePort = 0 }: Connection): BoundAddress {
  return { host: plainAddress(remoteAddress), port: remotePort };
}
