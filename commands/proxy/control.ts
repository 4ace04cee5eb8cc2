import { readFile } from 'node:fs/promises';
import type { AccessList } from '../../src/access/access-list.ts';
import { formatEndpoint, type Endpoint } from '../../src/address/endpoint.ts';
import { loopbacks } from '../../src/address/host-rules.ts';
import { parseEndpoint } from '../../src/address/parse.ts';
import { Control } from '../../src/control/control.ts';
import { formatControlUrl, serveControl, type ControlServer } from '../../src/control/server.ts';
import type { Steered } from '../../src/control/steered.ts';
import { createPageInterface, pagePaths } from '../../src/control/page/page.ts';
import { answerToxiproxy } from '../../src/control/toxiproxy/routes.ts';
import { EventFeeds } from '../../src/control/v1/event-feeds.ts';
import { createOwnInterface } from '../../src/control/v1/routes.ts';
import { TapFeeds } from '../../src/control/v1/tap-feeds.ts';
import { errorCode, TnetError } from '../../src/errors.ts';
import { findListenerPath, isLocalListener } from '../../src/net/listener-path.ts';
import { explainBind } from '../../src/net/own-side.ts';
import type { ConnectionTaps } from '../../src/record/connection-taps.ts';
import { ServeError } from '../../src/serve/service.ts';
import type { Context } from '../context.ts';
import type { ProxyOptions } from './options.ts';

/** Where a proxy is steered, and by whom. */
export interface ControlSettings {
  readonly endpoint: Endpoint;
  /** Other machines reach it. */
  readonly isPublic: boolean;
  /** Whoever may change anything is this user, or has the token. */
  readonly isTrusted: boolean;
  readonly token: string | undefined;
  readonly access: AccessList | undefined;
}

/** A shorter one can be guessed. */
const leastTokenLength = 16;

/**
 * Reads the options of --control. Opens nothing.
 *
 * @throws TnetError TNET_E_USAGE, TNET_E_ADDRESS, TNET_E_CONFIG for the token, TNET_E_ACCESS
 */
export async function readControl(address: string, options: ProxyOptions): Promise<ControlSettings> {
  const { controlTokenFile: tokenFile, controlAllow: allow, numeric: numericOnly } = options;
  const parsed = parseEndpoint(address);
  const endpoint = parsed.kind === 'tcp' ? { ...parsed, host: parsed.host ?? loopbacks[4] } : parsed;
  if (endpoint.kind !== 'tcp' && endpoint.kind !== 'unix' && endpoint.kind !== 'fd')
    throw new TnetError('TNET_E_USAGE', '--control listens on TCP or a Unix socket', {
      subject: formatEndpoint(endpoint),
    });
  const isPublic = !isLocalListener(endpoint);
  if (isPublic && (tokenFile === undefined || allow === undefined)) {
    const message =
      'other machines reach it: give --control-token-file and --control-allow, or use loopback or a path';
    throw new TnetError('TNET_E_USAGE', message, { subject: `--control ${formatEndpoint(endpoint)}` });
  }
  if (allow && endpoint.kind === 'unix')
    throw new TnetError('TNET_E_USAGE', 'judges IP addresses, and a Unix socket has none', {
      subject: '--control-allow',
    });
  return {
    endpoint,
    isPublic,
    isTrusted: endpoint.kind === 'unix' || tokenFile !== undefined,
    token: tokenFile === undefined ? undefined : await readToken(tokenFile),
    access:
      allow &&
      (await (await import('../../src/access/access-list.ts')).createAccessList({ allow, numericOnly })),
  };
}

/** The name by which browsers may come; undefined: they cannot. */
function findHost(endpoint: Endpoint): string | undefined {
  if (endpoint.kind === 'tcp') return endpoint.host ?? loopbacks[4];
  return endpoint.kind === 'fd' && findListenerPath(endpoint.fd) === undefined ? loopbacks[4] : undefined;
}

async function readToken(path: string): Promise<string> {
  const fail = (message: string, cause?: unknown) =>
    new TnetError('TNET_E_CONFIG', message, { subject: path, cause });
  let token: string;
  try {
    token = (await readFile(path, 'utf8')).trim();
  } catch (error) {
    throw fail(`the file cannot be read (${errorCode(error) ?? 'unknown'})`, error);
  }
  if (/^[\x21-\x7e]+$/.test(token) && token.length >= leastTokenLength) return token;
  throw fail(
    `a token has at least ${leastTokenLength} characters, letters, digits and signs without a space`,
  );
}

/** What is steered, and what passes in it. */
export interface SteeredParts {
  readonly steered: Steered;
  readonly taps: ConnectionTaps;
}

/**
 * Binds the control address of a proxy, and says where.
 *
 * @param isEnding whether nothing may be changed any more
 * @returns what is bound; the caller closes it
 * @throws ServeError
 */
export async function startControl(
  { steered, taps: opened }: SteeredParts,
  { endpoint, isPublic, token, access }: ControlSettings,
  { reporter }: Context,
  isEnding: () => boolean,
): Promise<ControlServer> {
  const feeds = new EventFeeds(steered);
  const taps = new TapFeeds(opened);
  const subject = formatEndpoint(endpoint);
  const control = new Control({
    token,
    isPublic,
    host: findHost(endpoint),
    open: pagePaths,
    interfaces: [
      createOwnInterface({ steered, feeds, taps }),
      answerToxiproxy(steered),
      createPageInterface({ token, isPublic }),
    ],
    isEnding,
    report: (fault) => reporter.fail(subject, fault),
  });
  try {
    const server = await serveControl(endpoint, {
      control,
      access,
      refused: (remote, reason) => reporter.emit({ event: 'refused', remote, reason }),
      fail: (place, error) => reporter.fail(place, error),
    });
    reporter.emit({ event: 'control', url: formatControlUrl(server.address) });
    return {
      ...server,
      close() {
        feeds.close();
        taps.close();
        return server.close();
      },
    };
  } catch (error) {
    const port = 'port' in endpoint ? endpoint.port : 0;
    throw new ServeError(subject, explainBind(error, { kind: 'tcp', port }));
  }
}
