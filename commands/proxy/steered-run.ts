import type { ProxyHost } from '../../src/handlers/relay/host.ts';
import { isReplayClient, type Pair } from '../../src/handlers/relay/pair.ts';
import type { RelayService } from '../../src/handlers/relay/service.ts';
import type { ControlServer } from '../../src/control/server.ts';
import type { WrittenSettings } from '../../src/control/steered.ts';
import { TnetError } from '../../src/errors.ts';
import { tapHere, type ConnectionTaps } from '../../src/record/connection-taps.ts';
import { LiveTaps } from '../../src/record/live-taps.ts';
import type { Context } from '../context.ts';
import type { ServerRun, SteeredServing } from '../server-run.ts';
import { readPairSettings, type NamedPair, type SharedOptions } from './config-file.ts';
import { readControl, startControl } from './control.ts';
import type { ProxyOptions } from './options.ts';
import { listOwnEnds } from './pair-checks.ts';
import { Steering } from './steering/steering.ts';
import type { WorkerGroup } from './steering/worker-group.ts';

/** A run of `tnet proxy --control`: it serves what its steering says. */
export interface SteeredRun {
  readonly serving: SteeredServing<RelayService>;
  /** Ends what is read from it. */
  readonly close: () => Promise<void>;
  /** To be called before the run is started. */
  readonly begin: (
    run: ServerRun<RelayService>,
    host: ProxyHost,
    options: { readonly context: Context; readonly shared: SharedOptions },
  ) => void;
}

/** The pairs that a command line or a file names. */
export interface GivenPairs {
  /** As they were read first. */
  readonly named: readonly NamedPair[];
  /** Reads them again. */
  readonly read: () => Promise<readonly NamedPair[]>;
}

/** @throws as readControl() does */
export async function prepareSteering(
  address: string,
  options: ProxyOptions,
  { named, read }: GivenPairs,
): Promise<SteeredRun> {
  const settings = await readControl(address, options);
  let steering: Steering;
  let start: () => Promise<ControlServer>;
  let server: ControlServer | undefined;
  let workers: WorkerGroup | undefined;
  return {
    serving: {
      async serve(signal) {
        // With workers, accepted clients are kept waiting meanwhile: no address is waited for in a reload.
        const patience = server && workers ? undefined : signal;
        const services = await steering.setPairs(server ? await read() : named, patience);
        server ??= await start();
        return services;
      },
      addresses: () => (server ? [server.address] : []),
      end: () => steering.end(),
      useWorkers(dispatcher) {
        workers = steering.useWorkers(dispatcher);
      },
    },
    async close() {
      // The ends of their connections are events.
      await workers?.settle();
      await server?.close();
    },
    begin(run, host, { context, shared: { values, ...shared } }) {
      const { reporter } = context;
      const live = new LiveTaps();
      const here = tapHere(live);
      const taps: ConnectionTaps = {
        tap: async (...wanted) => (await here.tap(...wanted)) ?? workers?.taps.tap(...wanted),
      };
      const { recordings = [] } = host;
      steering = new Steering({
        host: { ...host, recordings: [...recordings, live] },
        listeners: run.listeners,
        read(written, before) {
          const named = readAddedPair(written, shared);
          if (!settings.isTrusted) refuseOwnEnds(named.pair, before);
          return named;
        },
        defaults: values,
        listen: (onEvent) => reporter.listen(onEvent),
      });
      start = async () => {
        const started = await startControl(
          { steered: steering, taps },
          settings,
          context,
          () => run.stopping.aborted,
        );
        run.own.add(started.address);
        run.closeLater(() => void started.close());
        return started;
      };
    },
  };
}

/** A pair that comes while the proxy runs. @throws TnetError TNET_E_CONFIG */
function readAddedPair(settings: WrittenSettings, shared: SharedOptions): NamedPair {
  const [named] = readPairSettings(settings, shared);
  if (!named) throw new Error('one was given');
  if (isReplayClient(named.pair))
    throw new TnetError('TNET_E_CONFIG', 'LISTEN can be - on the command line only', { subject: '/listen' });
  return named;
}

/**
 * Every user of this machine reaches loopback, and must not run programs as the user of the proxy.
 *
 * @param before what the pair was: what it had, it may keep
 * @throws TnetError TNET_E_EXPOSED
 */
function refuseOwnEnds(pair: Pair, before: Pair | undefined): void {
  const had = before ? listOwnEnds(before) : [];
  const subject = listOwnEnds(pair).find((end) => !had.includes(end));
  if (subject === undefined) return;
  const message = 'needs --control-token-file, or a path as --control: every user of this machine reaches it';
  throw new TnetError('TNET_E_EXPOSED', message, { subject });
}
