import { setTimeout as delay } from 'node:timers/promises';
import type { Script } from '../../../record/script.ts';
import { serveClient } from '../../../serve/serve-client.ts';
import type { ProxyHost } from '../host.ts';
import type { Pair } from '../pair.ts';
import { prepareRelay } from '../prepare.ts';
import type { RelayService } from '../service.ts';
import { nameScript, play, readScripts } from './upstream.ts';

/** How long to wait for a server without --idle. */
const defaultPatienceMs = 10_000;

/**
 * Replays a recording as clients of the pair's target. Connections begin at their time, at the pace that was asked
 * for, and not before those have ended that had ended by then in the recording.
 *
 * @param stop aborted when no more connections are to begin
 * @returns whether every server did what it did in the recording
 * @throws as prepareRelay() and readScripts() do
 */
export async function replayClients(pair: Pair, host: ProxyHost, stop: AbortSignal): Promise<boolean> {
  const { values } = pair;
  const scripts = await readScripts(values);
  const service = await prepareRelay(pair, host);
  const startedAt = performance.now();
  const firstMicros = scripts[0]?.openedMicros ?? 0;
  const running = new Map<Script, Promise<void>>();
  const different = new Set<Script>();
  for (const script of scripts) {
    const before = [...running].filter(([{ closedMicros }]) => closedMicros <= script.openedMicros);
    await Promise.all(before.map(([, over]) => over));
    const dueAt = startedAt + (script.openedMicros - firstMicros) / 1000 / (values.pace ?? 1);
    const isStopped = await waitUntil(dueAt, stop);
    if (isStopped) break;
    const over = replayOne(script, pair, service, host).then((same) => {
      if (!same) different.add(script);
      running.delete(script);
    });
    running.set(script, over);
  }
  await Promise.all(running.values());
  service.close();
  return different.size === 0 && !stop.aborted;
}

async function replayOne(
  script: Script,
  { values }: Pair,
  service: RelayService,
  host: ProxyHost,
): Promise<boolean> {
  const player = play(script, 'client', values, { host, patienceMs: values.idle ?? defaultPatienceMs });
  await serveClient(player, nameScript(values, script), service, host);
  player.destroy();
  const difference = await player.played;
  return player.hasBegun && difference === undefined;
}

/** Whether it was stopped meanwhile. */
async function waitUntil(dueAt: number, signal: AbortSignal): Promise<boolean> {
  const waitMs = dueAt - performance.now();
  if (waitMs >= 1) await delay(waitMs, undefined, { signal }).catch(() => undefined);
  return signal.aborted;
}
