import { once } from 'node:events';
import type { ExecutionContext } from 'ava';
import { collectUntilClose } from './bytes.ts';
import { startCli, type Cli } from './cli.ts';
import { connectPeer } from './peers.ts';

type Json = Readonly<Record<string, unknown>>;

/** What a client of a server may do, and what the server is told for it. */
export interface Scene {
  readonly title: string;
  /** Gives the server's arguments. */
  readonly prepare: (t: ExecutionContext) => Promise<readonly string[]>;
  /** Is a client; what it returns is to be the same too. */
  readonly act: (t: ExecutionContext, address: string, cli: Cli) => Promise<unknown>;
  /** The event that is waited for. Default `ended`. */
  readonly last?: string | undefined;
  /** How often it is to come. Default once. */
  readonly count?: number;
}

/** A client of a server that echoes, which is there when SIGINT comes. */
export const isThereAtSigint: Scene['act'] = async (t, address, cli) => {
  const client = await connectPeer(t, address);
  client.write('x');
  await once(client, 'data');
  cli.child.kill('SIGINT');
  const { bytes, error } = await collectUntilClose(client);
  return [bytes.length, error?.message];
};

/** The events of a server with --json. */
export const readEvents = (cli: Cli) =>
  cli
    .stderr()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Json);

/** Plays a scene with the express lane and without: what is seen and said has to be the same, and the exit status. */
export async function compareLane(
  t: ExecutionContext,
  command: 'proxy' | 'echo',
  { prepare, act, last = 'ended', count = 1 }: Omit<Scene, 'title'>,
): Promise<void> {
  const results = [];
  for (const express of [true, false]) {
    const args = [command, '--json', ...(await prepare(t))];
    const cli = startCli(t, args, { env: { TNET_EXPRESS: express ? '' : '0' } });
    const [, address] = await cli.said(/"event":"listening","address":"([^"]+)"/);
    if (command === 'proxy') {
      await cli.said(/"event":"lane"/);
      const lane = readEvents(cli).find(({ event }) => event === 'lane');
      t.is(lane?.['express'], express, JSON.stringify(lane));
    }
    const seen = await act(t, address!.replaceAll('\\u0000', ''), cli);
    await cli.said(new RegExp(`("event":"${last}"[^]*){${count}}`));
    // A second signal would end it at once, with its totals or without.
    if (!cli.child.killed) cli.child.kill('SIGTERM');
    const { code } = await cli.exit;
    results.push({ seen, code, events: normalise(readEvents(cli)) });
  }
  t.deepEqual(results[0], results[1]);
}

/** What differs from run to run: times, and each port and path is named by the order in which it comes. */
function normalise(events: readonly Json[]): unknown {
  const names = new Map<string, string>();
  const nameOf = (text: string) => {
    if (!names.has(text)) names.set(text, `#${names.size}`);
    return names.get(text)!;
  };
  // The system may give one port to several outgoing connections, by chance: those of targets have no number.
  const write = (name: string, value: unknown) =>
    typeof value === 'string'
      ? value
          .replaceAll(/:\d{4,5}\b|\/\S+/g, name === 'local' ? () => '#' : nameOf)
          .replaceAll(/within \d+ ms/g, 'in time')
      : value;
  return events
    .filter(({ event }) => event !== 'lane')
    .map(({ time, durationMs, ...members }) => [
      typeof time,
      typeof durationMs,
      Object.entries(members).map(([name, value]) => [name, write(name, value)]),
    ]);
}
