import type { ExecutionContext } from 'ava';
import { readPairSettings } from '../../commands/proxy/config-file.ts';
import type { PairSettings, Proxy } from '../../commands/proxy/library.ts';
import { Steering } from '../../commands/proxy/steering/steering.ts';
import { Control, type ControlOptions } from '../../src/control/control.ts';
import type { ControlAnswer } from '../../src/control/request.ts';
import type { ToxiproxySteered } from '../../src/control/toxiproxy/proxies.ts';
import { answerToxiproxy } from '../../src/control/toxiproxy/routes.ts';
import { EventFeeds } from '../../src/control/v1/event-feeds.ts';
import { createPageInterface, pagePaths } from '../../src/control/page/page.ts';
import { createOwnInterface } from '../../src/control/v1/routes.ts';
import { TapFeeds } from '../../src/control/v1/tap-feeds.ts';
import type { TnetError } from '../../src/errors.ts';
import { operate } from '../../src/handlers/relay/faults/fault-operation.ts';
import type { ProxyHost } from '../../src/handlers/relay/host.ts';
import type { RelayService } from '../../src/handlers/relay/service.ts';
import type { Event } from '../../src/report/events.ts';
import { tapHere } from '../../src/record/connection-taps.ts';
import { LiveTaps } from '../../src/record/live-taps.ts';
import { Ledger } from '../../src/serve/ledger.ts';
import { Listeners } from '../../src/serve/listeners.ts';

/** A steered proxy without a command around it, and what answers the requests to its control address. */
export interface SteeredWorld {
  readonly steering: Steering;
  readonly feeds: EventFeeds;
  /** What the control address has found wrong with tnet itself. */
  readonly faults: TnetError[];
  readonly emit: (event: Event) => void;
  readonly ask: (method: string, target: string, body?: unknown, headers?: object) => Promise<ControlAnswer>;
}

export function createSteeredWorld(
  t: ExecutionContext,
  rules: Partial<Pick<ControlOptions, 'token' | 'isPublic' | 'host' | 'isEnding'>> = {},
): SteeredWorld {
  const hearers = new Set<(event: Event) => void>();
  const emit = (event: Event) => {
    for (const hear of hearers) hear(event);
  };
  const ending = new AbortController();
  const live = new LiveTaps();
  const host: ProxyHost = {
    ...{ ledger: new Ledger(), emit, fail: () => undefined, signal: ending.signal },
    recordings: [live],
  };
  const listeners = new Listeners<RelayService>(host);
  const steering = new Steering({
    host,
    listeners,
    read: (settings) => readPairSettings(settings)[0]!,
    listen(onEvent) {
      hearers.add(onEvent);
      return () => void hearers.delete(onEvent);
    },
  });
  t.teardown(async () => {
    await steering.end();
    await listeners.stop();
    ending.abort();
    listeners.cut();
  });
  const faults: TnetError[] = [];
  const feeds = new EventFeeds(steering);
  const taps = new TapFeeds(tapHere(live));
  const control = new Control({
    isPublic: false,
    open: pagePaths,
    host: '127.0.0.1',
    isEnding: () => false,
    ...rules,
    interfaces: [
      createOwnInterface({ steered: steering, feeds, taps }),
      answerToxiproxy(steering),
      createPageInterface({ isPublic: false, ...rules }),
    ],
    report: (fault) => faults.push(fault),
  });
  const ask: SteeredWorld['ask'] = (method, target, body, headers = {}) => {
    const text = typeof body === 'string' ? body : body === undefined ? '' : JSON.stringify(body);
    const own = {
      host: '127.0.0.1:8474',
      ...(text !== '' && { 'content-type': 'application/json', 'content-length': String(text.length) }),
    };
    return control.answer({ method, target, headers: { ...own, ...headers } }, () => Promise.resolve(text));
  };
  return { steering, feeds, faults, emit, ask };
}

/** A proxy of `tnet/proxy` as toxiproxy's interface has it. */
export function toSteered(proxy: Proxy): ToxiproxySteered {
  return {
    get pairs() {
      return proxy.pairs;
    },
    pair: (name) => proxy.pair(name),
    addPair: (name, settings, options) => proxy.addPair(name, settings as unknown as PairSettings, options),
    changePair: (name, settings, options) => proxy.changePair(name, settings, options),
    setEnabled: (name, isEnabled, options) => proxy.setEnabled(name, isEnabled, options),
    removePair: (name, options) => proxy.removePair(name, options),
    changeFaults: (name, operation) =>
      new Promise((resolve) => resolve(operate(proxy.pair(name).faults, operation))),
    look: () =>
      Promise.resolve({
        connections: proxy.connections,
        totals: proxy.totals,
        moved: (name) => proxy.moved(name),
        targets: (name) => proxy.pair(name).targets,
      }),
  };
}
