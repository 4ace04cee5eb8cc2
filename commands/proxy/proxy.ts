import { isServedHere } from '../../src/address/endpoint.ts';
import { refuseAddressFlags } from '../../src/address/host-rules.ts';
import { parseEndpoint } from '../../src/address/parse.ts';
import { hideUserInfo, errorCode, TnetError } from '../../src/errors.ts';
import { exitCodes } from '../../src/exit-codes.ts';
import { isReplayClient, type Pair } from '../../src/handlers/relay/pair.ts';
import type { RelayService } from '../../src/handlers/relay/service.ts';
import type { LoopWatch } from '../../src/handlers/relay/targets/rules.ts';
import type { LiveNames } from '../../src/report/live-table.ts';
import type { ServeHost } from '../../src/serve/service.ts';
import { splitTargets } from '../../src/handlers/relay/targets/settings.ts';
import { createContext } from '../context.ts';
import { givenOptions, type Called, type CommandDefinition } from '../options/called.ts';
import { readFamily, addressFlags } from '../options/server-address.ts';
import { findFreeName, readConfigFile, type NamedPair, type SharedOptions } from './config-file.ts';
import { isWorker } from '../is-worker.ts';
import { nameFlag, proxyLayout, writtenValues, type ProxyOptions } from './options.ts';
import { checkProcess } from './pair-checks.ts';
import { readPair } from './pair.ts';

/** `tnet proxy [options] LISTEN TARGET…`: a relay that changes nothing unless asked, not even how a connection ends. */
export const proxyCommand: CommandDefinition = {
  help: {
    usage: '[options] LISTEN TARGET…',
    purpose: [
      'Relays connections to a target, byte for byte and end for end: between TCP, TLS,',
      'UDP and Unix sockets. It can show, record and disturb what passes.',
    ],
    examples: [
      ['relay a port of this machine, and show what passes', 'tnet proxy --tap 8080 example.com:80'],
      ['give a plain server TLS', 'tnet proxy --tls-in 0.0.0.0:8443 localhost:8080'],
      ['see how a program does on a slow network', 'tnet proxy --latency 100ms 8080 localhost:80'],
    ],
    mostUsed: ['pair', 'tap', 'tlsIn', 'tlsOut', 'socks', 'latency'],
  },
  operands: [
    ['[listen]', 'where to listen: PORT (loopback), HOST:PORT, udp://HOST:PORT, /path, fd:N'],
    [
      '[target...]',
      'where to connect: PORT, HOST:PORT, udp://HOST:PORT, /path; of several: HOST:PORT,weight=3,max=10,backup',
    ],
  ],
  layout: proxyLayout,
  run: runProxy,
};

async function runProxy(
  listen: string | undefined,
  targets: string[],
  options: ProxyOptions,
  command: Called,
): Promise<void> {
  // Help does not need what runs the proxy.
  const [{ ServerRun }, { prepareRelay, prepareRelays }, { LoopWatch }, { checkBoundLoops }] =
    await Promise.all([
      import('../server-run.ts'),
      import('../../src/handlers/relay/prepare.ts'),
      import('../../src/handlers/relay/targets/rules.ts'),
      import('../../src/handlers/relay/targets/loop-check.ts'),
    ]);
  const context = createContext(command, options);
  const words = listen === undefined ? [] : [listen, ...targets];
  checkProcess(givenOptions(command), nameFlag);
  const family = readFamily(options);
  const shared: SharedOptions = {
    values: writtenValues(command),
    family,
    modes: options.workers === undefined ? {} : { workers: '--workers' },
  };
  const read = createPairReader(words, options, shared);
  if (options.workers !== undefined && isWorker()) {
    const { runWorker } = await import('../workers.ts');
    if (options.control !== undefined) {
      const { SteeredWorker } = await import('./steering/steered-worker.ts');
      const { reporter } = context;
      const kind = new SteeredWorker({
        // The values of the command line are in the settings of its pairs already.
        shared: { family, modes: shared.modes },
        listen: (onEvent) => reporter.listen(onEvent),
        tell: (news) => worker.tell(news),
      });
      const worker = runWorker(context, options, kind);
      return;
    }
    let loops: LoopWatch | undefined;
    runWorker(context, options, {
      async prepare(host) {
        loops ??= host.own && new LoopWatch(host.own);
        const streams = (await read()).filter(({ pair }) => !isServedHere(pair.listen));
        return Promise.all(streams.map(({ pair }) => prepareRelay(pair, { ...host, loops })));
      },
    });
    return;
  }
  const named = await read();
  const pairs = named.map(({ pair }) => pair);
  if (pairs.some(isReplayClient) && (pairs.length > 1 || options.config !== undefined)) {
    throw new TnetError('TNET_E_USAGE', 'LISTEN can be - on the command line only, and with no other pair');
  }
  const metrics = options.metrics === undefined ? undefined : parseEndpoint(options.metrics);
  if (pairs.some(isReplayClient)) checkReplayClients(options);
  const views = await (await import('./views.ts')).openViews(context, options);
  const { recordings } = views;
  const [first] = pairs;
  const replayed = first && isReplayClient(first) ? `--replay ${first.values.replay ?? ''}` : undefined;
  // For a user: a script knows what it has asked for.
  const told = context.reporter.isSeen ? pairs.map((await import('./describe-pair.ts')).describePair) : [];
  const steering =
    options.control === undefined
      ? undefined
      : await (await import('./steered-run.ts')).prepareSteering(options.control, options, { named, read });
  const run = new ServerRun<RelayService>(context, options, {
    name: 'proxy',
    steered: steering?.serving,
    checkBound: (bound) => checkBoundLoops(bound, family),
    live: (addresses) => nameLive(replayed ?? addresses.join(' '), told),
    async close() {
      await views.close();
      await steering?.close();
    },
  });
  if (first && replayed !== undefined) {
    const { replayClients } = await import('../../src/handlers/relay/replay/clients.ts');
    return run.work(async (host, signal) => {
      const isSame = await replayClients(first, { ...host, recordings }, signal);
      return isSame ? exitCodes.ok : exitCodes.failed;
    }, metrics);
  }
  const loops = new LoopWatch(run.own);
  steering?.begin(run, { ...run.host, loops, recordings }, { context, shared });
  const prepare = (host: ServeHost, some: readonly Pair[]) =>
    prepareRelays(some, { ...host, loops, recordings });
  if (options.config !== undefined)
    run.reloadOnHangup(options.config, async (host) => {
      const readAgain = await read();
      return prepare(
        host,
        readAgain.map(({ pair }) => pair),
      );
    });
  if (!options.live) for (const line of told) context.reporter.note(line);
  await run.start((host) => prepare(host, pairs), metrics);
}

function nameLive(what: string, notes: readonly string[]): LiveNames {
  return {
    title: `tnet proxy ${what}`,
    received: 'up',
    sent: 'down',
    remote: 'client',
    target: 'target',
    notes,
  };
}

/** @throws TnetError TNET_E_USAGE for flags about what is bound, when nothing is */
function checkReplayClients({ readyFd, readyFile }: ProxyOptions): void {
  const subject = readyFd === undefined ? readyFile && '--ready-file' : '--ready-fd';
  if (subject === undefined) return;
  const message = "makes no sense with - as LISTEN: the recording takes the clients' place";
  throw new TnetError('TNET_E_USAGE', message, { subject });
}

/** Reads what is to be served: once from the command line, or at each reload from the file. */
function createPairReader(
  words: readonly string[],
  options: ProxyOptions,
  shared: SharedOptions,
): () => Promise<NamedPair[]> {
  const { config } = options;
  if (config === undefined) {
    const pairs = readPairs(words, options, shared);
    checkAddressFlags(pairs, options);
    return () => Promise.resolve(pairs);
  }
  if (words.length > 0)
    throw new TnetError('TNET_E_USAGE', 'name the pairs in the --config file or as words, not both');
  return async () => {
    try {
      const pairs = await readConfigFile(config, shared);
      checkAddressFlags(pairs, options);
      return pairs;
    } catch (error) {
      if (error instanceof TnetError) throw error;
      const message = `the file cannot be read (${errorCode(error) ?? 'unknown'})`;
      throw new TnetError('TNET_E_CONFIG', message, { subject: config, cause: error });
    }
  };
}

/** @throws TnetError TNET_E_USAGE for flags about IP addresses and names when no pair has any */
function checkAddressFlags(
  pairs: readonly NamedPair[],
  { ipv4, ipv6, numeric, control }: ProxyOptions,
): void {
  // Pairs may come.
  if (control !== undefined) return;
  // Clients may bring names, and lists may have them.
  if (
    pairs.some(({ pair: { values } }) => {
      const { socks, httpConnect, http, allow, deny } = values;
      return socks ?? httpConnect ?? http ?? allow ?? deny;
    })
  )
    return;
  const ends = pairs.flatMap(({ pair: { listen, targets, values } }) => [
    listen,
    ...targets,
    ...(values.route ?? []).flatMap((one) => one.targets),
  ]);
  refuseAddressFlags(ends, addressFlags({ ipv4, ipv6, numeric }));
}

/**
 * The pairs that the command line names: `LISTEN TARGET…`, or each `-L LISTEN=TARGET[,TARGET…]`.
 *
 * @throws TnetError TNET_E_USAGE or TNET_E_ADDRESS
 */
function readPairs(
  words: readonly string[],
  options: ProxyOptions,
  { values = {}, ...shared }: SharedOptions,
): NamedPair[] {
  const [listen, ...targets] = words;
  const pairs = options.pair?.map(splitPair) ?? [];
  if (listen !== undefined && pairs.length > 0) {
    throw new TnetError('TNET_E_USAGE', 'name the pairs as LISTEN TARGET or with -L, not both');
  }
  if (listen !== undefined) pairs.push({ listen, targets });
  if (pairs.length === 0 && options.control === undefined)
    throw new TnetError('TNET_E_USAGE', 'name where to listen and a target: LISTEN TARGET');
  const taken = new Set<string>();
  return pairs.map((one) => {
    const name = findFreeName(one.listen, taken);
    taken.add(name);
    const pair = readPair({ ...one, values }, { ...shared, name: nameFlag });
    return { name, settings: { ...one, ...values }, pair: { ...pair, name } };
  });
}

function splitPair(word: string): { listen: string; targets: string[] } {
  const at = word.indexOf('=');
  if (at < 1)
    throw new TnetError('TNET_E_USAGE', 'expected LISTEN=TARGET', { subject: `-L ${hideUserInfo(word)}` });
  const targets = word.slice(at + 1);
  return { listen: word.slice(0, at), targets: targets === '' ? [] : splitTargets(targets) };
}
