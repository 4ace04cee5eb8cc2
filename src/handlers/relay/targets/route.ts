import { hideUserInfo, TnetError } from '../../../errors.ts';
import { sniffedProtocols } from '../../../protocol/sniff.ts';
import { parseTarget, type Target } from './target.ts';
import type { RoutePattern } from '../../../serve/greeting/route-match.ts';

/** What `proto:` takes: `http` is every version of HTTP. */
export const routeProtocols: readonly string[] = ['http', ...sniffedProtocols];

/** Clients that show themselves in a certain way, and where they are sent. */
export interface Route extends RoutePattern {
  readonly targets: readonly Target[];
}

/**
 * Reads a route: `sni:a.example=TARGET`, `alpn:h2=TARGET`, `proto:ssh=TARGET`, with several targets cut by commas.
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
    const message = `unknown protocol ${name}: ${routeProtocols.join(', ')} are known`;
    throw new TnetError('TNET_E_USAGE', message, { subject: hideUserInfo(text) });
  }
  return {
    kind: kind as Route['kind'],
    name: kind === 'alpn' ? name : protocol,
    targets: targets.split(',').map(parseTarget),
  };
}
