import type { Command } from 'commander';
import { refuseAddressFlags } from '../../src/address/host-rules.ts';
import { parseEndpoint } from '../../src/address/parse.ts';
import { errorCode, TnetError } from '../../src/errors.ts';
import { readConfigFile } from '../../src/handlers/relay/settings/config-file.ts';
import { isReplayClient } from '../../src/handlers/relay/settings/pair-checks.ts';
import type { Pair } from '../../src/handlers/relay/pair.ts';
import { limitYoungGeneration } from '../../src/handlers/relay/young-generation.ts';
import { createContext } from '../context.ts';
import { addOptions, addReportOptions } from '../options/shared.ts';
import { addPairOptions, addProxyOptions, readPairs, writtenValues, type ProxyOptions } from './options.ts';
import { checkWorkers, isWorker } from './worker-checks.ts';
import { ProxyRun } from './run.ts';
import { openViews } from './views.ts';
import { addressFlags, readFamily } from '../options/server-address.ts';

/** `tnet proxy [options] LISTEN TARGET…`: a relay that changes nothing unless asked, not even how a connection ends. */
export function defineProxy(command: Command): void {
  command
    .argument('[listen]', 'where to listen: PORT (loopback), HOST:PORT, udp://HOST:PORT, /path, fd:N')
    .argument('[target...]', 'where to connect: PORT, HOST:PORT, udp://HOST:PORT, /path');
  command.optionsGroup('What is served:');
  addOptions(command, 'ipv4', 'ipv6', 'numeric');
  addProxyOptions(command);
  addPairOptions(command);
  addReportOptions(command).action(runProxy);
}

async function runProxy(
  listen: string | undefined,
  targets: string[],
  options: ProxyOptions,
  command: Command,
): Promise<void> {
  const context = createContext(command, options);
  const words = listen === undefined ? [] : [listen, ...targets];
  const read = createPairReader(words, options);
  if (options.workers !== undefined && isWorker()) {
    (await import('./workers.ts')).runWorker(context, options, read);
    return;
  }
  const pairs = await read();
  if (pairs.some(isReplayClient) && (pairs.length > 1 || options.config !== undefined)) {
    throw new TnetError('TNET_E_USAGE', 'LISTEN - stands on the command line, as the only pair');
  }
  checkWorkers(pairs, options);
  const metrics = options.metrics === undefined ? undefined : parseEndpoint(options.metrics);
  const views = await openViews(context, options);
  const run = new ProxyRun(context, options, views);
  const [first] = pairs;
  if (first && isReplayClient(first)) return run.replay(first, metrics);
  if (options.config !== undefined) run.reloadOnHangup(options.config, read);
  if (views.recordings.length === 0) limitYoungGeneration(pairs);
  await run.start(pairs, metrics);
}

/** Reads what is to be served: once from the command line, or each time anew from the file. */
function createPairReader(words: readonly string[], options: ProxyOptions): () => Promise<Pair[]> {
  const family = readFamily(options);
  const { config } = options;
  if (config === undefined) {
    const pairs = readPairs(words, options, family);
    checkAddressFlags(pairs, options);
    return () => Promise.resolve(pairs);
  }
  if (words.length > 0)
    throw new TnetError('TNET_E_USAGE', 'name the pairs in the --config file or as words, not both');
  return async () => {
    try {
      const pairs = await readConfigFile(config, writtenValues(options), family);
      checkWorkers(pairs, options);
      checkAddressFlags(pairs, options);
      return pairs;
    } catch (error) {
      if (error instanceof TnetError) throw error;
      const message = `the file cannot be read (${errorCode(error) ?? 'unknown'})`;
      throw new TnetError('TNET_E_CONFIG', message, { subject: config, cause: error });
    }
  };
}

/** @throws TnetError TNET_E_USAGE for flags about IP addresses and names where no pair has any */
function checkAddressFlags(pairs: readonly Pair[], { ipv4, ipv6, numeric }: ProxyOptions): void {
  // Clients may bring names, and lists may have them.
  if (pairs.some(({ values: { socks, httpConnect, allow, deny } }) => socks ?? httpConnect ?? allow ?? deny))
    return;
  const ends = pairs.flatMap(({ listen, targets, values: { route = [] } }) => [
    listen,
    ...targets,
    ...route.flatMap((one) => one.targets),
  ]);
  refuseAddressFlags(ends, addressFlags({ ipv4, ipv6, numeric }));
}
