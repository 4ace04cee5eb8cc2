import { TnetError } from '../../../errors.ts';
import { Player } from '../../../record/player.ts';
import { readRecording } from '../../../record/read-recording.ts';
import type { Script, Side } from '../../../record/script.ts';
import type { ReplayValues } from '../pair.ts';
import type { ProxyHost } from '../host.ts';
import type { Upstream } from '../targets/upstream.ts';

/**
 * The connections of the recording that are to be replayed.
 *
 * @throws TnetError TNET_E_RECORDING
 */
export async function readScripts({ replay = '', connection }: ReplayValues): Promise<readonly Script[]> {
  const scripts = await readRecording(replay);
  const chosen = connection === undefined ? scripts : scripts.filter(({ id }) => id === connection);
  if (chosen.length > 0) return chosen;
  throw new TnetError('TNET_E_RECORDING', `there is no connection ${connection} in it`, { subject: replay });
}

/** What a replayed connection is called: `session.pcapng#3`. */
export function nameScript({ replay = '' }: ReplayValues, { id }: Script): string {
  return `${replay}#${id}`;
}

/** Plays a side of a recorded connection, and reports how the other one compares. */
export function play(
  script: Script,
  side: Side,
  values: ReplayValues,
  { host, patienceMs, id }: { readonly host: ProxyHost; readonly patienceMs?: number; readonly id?: number },
): Player {
  const player = new Player({ script, side, pace: values.pace ?? 1, patienceMs });
  void player.played.then((difference) => {
    if (!player.hasBegun) return;
    host.emit({
      event: 'replayed',
      ...(id !== undefined && { id }),
      remote: nameScript(values, script),
      side,
      ...(difference !== undefined && { difference }),
    });
  });
  return player;
}

/**
 * An upstream whose target is a recording: each client gets its next connection, and after the last the first
 * again.
 */
export async function createReplayUpstream(values: ReplayValues, host: ProxyHost): Promise<Upstream> {
  const scripts = await readScripts(values);
  let next = 0;
  return {
    targets: [],
    setEnabled: () => false,
    open({ id }) {
      const script = scripts[next++ % scripts.length];
      if (!script) throw new Error('a recording has a connection');
      const socket = play(script, 'server', values, { host, id });
      return Promise.resolve({ socket, target: nameScript(values, script) });
    },
    close: () => undefined,
  };
}
