import { formatTargetEndpoint, localEnds, type Endpoint } from '../../../address/endpoint.ts';
import { hideUserInfo, TnetError } from '../../../errors.ts';
import { parseEndpoint } from '../../../address/parse.ts';
import { sniffedProtocols } from '../../../protocol/sniff.ts';
import { explainSettings, splitSettings, splitTargets } from './settings.ts';
import type { TargetSettings } from './target-settings.ts';
import type { RoutePattern } from '../../../serve/greeting/route-match.ts';

/** Where clients are connected to: an address, or a service that DNS lists (`srv://_http._tcp.example.com`). */
export type Target = (Endpoint | { readonly kind: 'srv'; readonly name: string }) & {
  readonly settings?: TargetSettings;
};

/** Whether a target is reached by datagrams. */
export function isDatagramTarget(target: Target): boolean {
  return (
    target.kind === 'udp' ||
    target.kind === 'unix-dgram' ||
    (target.kind === 'srv' && /\._udp\./i.test(target.name))
  );
}

/** Which ends of a pair carry datagrams. Its targets are all of one kind, which checkPair() ensures. */
export interface DatagramEnds {
  readonly client: boolean;
  readonly target: boolean;
}

/** Undefined when no end of a pair carries datagrams. */
export function findDatagramEnds(listen: Endpoint, targets: readonly Target[]): DatagramEnds | undefined {
  const ends = {
    client: listen.kind === 'udp' || listen.kind === 'unix-dgram',
    target: targets.some(isDatagramTarget),
  };
  return ends.client || ends.target ? ends : undefined;
}

/** Whether bytes stay datagrams all the way. Where one end is a stream, they are a stream between the two. */
export function isOfDatagrams(listen: Endpoint, targets: readonly Target[]): boolean {
  const ends = findDatagramEnds(listen, targets);
  return ends?.client === true && ends.target;
}

/** The target as the user would write it, without its settings. */
export function formatTarget(target: Target): string {
  return target.kind === 'srv' ? `srv://${target.name}` : formatTargetEndpoint(target);
}

const targetKinds: readonly Target['kind'][] = [
  ...(['tcp', 'tls', 'udp', 'unix', 'unix-dgram', 'unix-seqpacket', 'ws', 'vsock', 'srv'] as const),
  ...localEnds,
];

/**
 * Reads a target that can be connected to, with its settings: `HOST:PORT,weight=3,max=10,backup`.
 *
 * @throws TnetError TNET_E_ADDRESS, or TNET_E_USAGE for an endpoint that cannot be connected to
 */
export function parseTarget(text: string): Target {
  const { address, settings } = splitSettings(text);
  const target: Target = { ...parseAddress(address), ...(settings && { settings }) };
  if (targetKinds.includes(target.kind)) return target;
  const reason = target.kind === 'fd' ? ': it is one connection, and a proxy opens one for each client' : '';
  throw new TnetError('TNET_E_USAGE', `cannot connect to ${formatTarget(target)}${reason}`);
}

function parseAddress(text: string): Target {
  const [, name] = /^srv:\/\/(.*)$/i.exec(text) ?? [];
  try {
    return name === undefined ? parseEndpoint(text) : { kind: 'srv', name: checkService(name, text) };
  } catch (error) {
    throw explainSettings(text) ?? error;
  }
}

function checkService(name: string, text: string): string {
  if (/^[a-z0-9_][a-z0-9._-]*$/i.test(name)) return name;
  throw new TnetError('TNET_E_ADDRESS', 'expected srv://_SERVICE._tcp.DOMAIN or _udp', {
    subject: hideUserInfo(text),
  });
}

/** What `proto:` takes: `http` is every version of HTTP. */
export const routeProtocols: readonly string[] = ['http', ...sniffedProtocols];

/** Clients whose first bytes match a pattern, and where they are sent. */
export interface Route extends RoutePattern {
  readonly targets: readonly Target[];
}

/**
 * Reads a route: `sni:a.example=TARGET`, `alpn:h2=TARGET`, `proto:ssh=TARGET`, with several targets separated by
 * commas, each with its settings.
 *
 * @throws TnetError TNET_E_USAGE or TNET_E_ADDRESS
 */
export function parseRoute(text: string): Route {
  const [, kind, name, targets] = /^(sni|alpn|proto):([^=]+)=(.+)$/.exec(text) ?? [];
  if (kind === undefined || name === undefined || targets === undefined) {
    throw new TnetError('TNET_E_USAGE', 'expected sni:NAME=TARGET, alpn:NAME=TARGET or proto:NAME=TARGET', {
      subject: hideUserInfo(text),
    });
  }
  const protocol = name.toLowerCase();
  if (kind === 'proto' && !routeProtocols.includes(protocol)) {
    const message = `unknown protocol ${name}: expected one of ${routeProtocols.join(', ')}`;
    throw new TnetError('TNET_E_USAGE', message, { subject: hideUserInfo(text) });
  }
  return {
    kind: kind as Route['kind'],
    name: kind === 'alpn' ? name : protocol,
    targets: splitTargets(targets).map(parseTarget),
  };
}
