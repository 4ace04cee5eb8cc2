import { Option, type Command } from 'commander';
import type { Endpoint } from '../../src/address/endpoint.ts';
import { TnetError } from '../../src/errors.ts';
import { parseTimeMs } from './values.ts';

export interface DatagramFlags {
  readonly udp?: boolean;
  /** In milliseconds. */
  readonly waitReply?: number;
}

export function addUdpOption(command: Command): Command {
  return command.addOption(new Option('-u, --udp', 'use UDP: each chunk or terminal line is a datagram'));
}

export function addWaitReplyOption(command: Command): Command {
  return command.addOption(
    new Option('--wait-reply [time]', 'with -u: after stdin, end when no reply has come for this long')
      .argParser(parseTimeMs)
      .preset('2s'),
  );
}

/**
 * The endpoint as a UDP one when -u is given.
 *
 * @throws TnetError TNET_E_UNSUPPORTED for a Unix path, TNET_E_USAGE for what cannot be UDP
 */
export function applyUdp(endpoint: Endpoint, { udp }: DatagramFlags): Endpoint {
  if (!udp || endpoint.kind === 'udp') return endpoint;
  if (endpoint.kind === 'tcp') return { ...endpoint, kind: 'udp' };
  if (endpoint.kind === 'unix') {
    throw new TnetError(
      'TNET_E_UNSUPPORTED',
      'Node has no Unix datagram sockets, and the native addon offers none: use -U without -u',
      { subject: '-u' },
    );
  }
  throw new TnetError('TNET_E_USAGE', '-u goes with HOST PORT or PORT');
}

/** @throws TnetError TNET_E_USAGE when --wait-reply is given without UDP, whose peers alone have no end. */
export function checkWaitReply(endpoint: Endpoint, { waitReply }: DatagramFlags): void {
  if (waitReply === undefined || endpoint.kind === 'udp') return;
  throw new TnetError('TNET_E_USAGE', '--wait-reply goes with -u; -q limits the wait on a connection');
}

/** Flags of connect that need a connection, by the name that commander gives their value. */
const connectionFlags: Readonly<Record<string, string>> = {
  tls: '--tls',
  via: '-x',
  sendProxy: '--send-proxy',
  telnet: '-t',
  check: '-z',
  retry: '--retry',
  stable: '--stable',
};

/**
 * Makes sure that nothing is asked of UDP that it cannot give. No answer is no open port, and datagrams go through no
 * TLS: to go on without it would send them in the clear.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function refuseOverUdp(endpoint: Endpoint, flags: object): void {
  if (endpoint.kind !== 'udp') return;
  const given = Object.entries(connectionFlags).find(
    ([name]) => (flags as Record<string, unknown>)[name] !== undefined,
  );
  if (!given) return;
  const [, flag] = given;
  throw new TnetError('TNET_E_USAGE', `${flag} needs a connection, and UDP has none`);
}
