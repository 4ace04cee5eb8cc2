import type { Endpoint } from '../../src/address/endpoint.ts';
import { isHttpUrl, parseHttpUrl } from '../../src/address/http-url.ts';
import { parsePath, parseWords } from '../../src/address/parse.ts';
import { oneTarget, parseTargets, type Targets } from '../../src/address/targets.ts';
import type { Condition } from '../../src/dial/conditions.ts';
import type { HttpQuestion } from '../../src/dial/http-check.ts';
import { TnetError } from '../../src/errors.ts';
import { applyUdp } from '../options/server-address.ts';
import type { TableFlags } from '../options/row.ts';
import type { address } from '../options/table/address.ts';
import type { conditions } from '../options/table/probing.ts';

/** The addresses of a check, and what is looked for at them. */
export interface Goals {
  readonly targets: Targets;
  /** What is looked for in place of a connection. */
  readonly condition: Condition | undefined;
  /** What those endpoints are asked that were written as a URL. */
  readonly questions: ReadonlyMap<Endpoint, HttpQuestion>;
  /** What endpoints are called that are not written as an address. */
  readonly names: ReadonlyMap<Endpoint, string>;
}

type GoalFlags = TableFlags<typeof conditions, 'connect'> &
  Pick<TableFlags<typeof address, 'connect'>, 'unix' | 'udp'> & { readonly tls?: boolean };

/** @throws TnetError TNET_E_ADDRESS, TNET_E_USAGE */
export function readGoals(words: readonly string[], options: GoalFlags): Goals {
  const questions = new Map<Endpoint, HttpQuestion>();
  const names = new Map<Endpoint, string>();
  const readUrl = (word: string) => {
    if (!isHttpUrl(word)) return undefined;
    const { endpoint, url, path, host } = parseHttpUrl(word);
    if (options.tls && endpoint.kind === 'tcp')
      throw new TnetError('TNET_E_USAGE', '--tls does not go with http://: write https://', { subject: url });
    questions.set(endpoint, { path, host });
    names.set(endpoint, url);
    return endpoint;
  };
  const readName = (word: string) => {
    const host = /^[^/]*:\d+$/.test(word) ? undefined : parseWords([word, '1']);
    if (host) names.set(host, word);
    return host;
  };
  const readOther = options.waitHttp ? readUrl : options.waitName ? readName : undefined;
  const targets = readTargets(words, options, readOther);
  if (options.waitHttp && questions.size === 0)
    throw new TnetError('TNET_E_USAGE', '--wait-http asks URLs: name one, such as http://HOST:PORT/PATH');
  const condition = options.waitClosed ? 'closed' : options.waitName ? 'name' : undefined;
  return { targets, condition, questions, names };
}

function readTargets(
  words: readonly string[],
  options: GoalFlags,
  readOther: ((word: string) => Endpoint | undefined) | undefined,
): Targets {
  const { unix, udp } = options;
  if (unix !== undefined && words.length > 0)
    throw new TnetError('TNET_E_USAGE', 'name one address: as words or with -U');
  if (unix !== undefined) return oneTarget(applyUdp(parsePath(unix), options));
  if (words.length === 0)
    throw new TnetError('TNET_E_USAGE', 'name an address to connect to: HOST PORT, or -U PATH');
  const targets = parseTargets(words, { protocol: udp ? 'udp' : 'tcp', ...(readOther && { readOther }) });
  if (udp) for (const endpoint of targets) applyUdp(endpoint, options);
  return targets;
}
