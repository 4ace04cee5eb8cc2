/**
 * Two lanes with a time limit, one with 40 clients that send all they can and one with 300 short ones. The limit ends
 * connections whose flows are waiting for their next turn, while JavaScript lets go of others.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import { openExpressLane, type LaneEvent } from '../../src/flow/express-lane.ts';
import { must } from './checks.ts';
import { checkSocketsLeft, countSockets, faults, fdOf, note, portOf } from './soak-kit.ts';

/** What clients are told: where the lane is, and how long they go on. */
export interface CrowdOrder {
  readonly port: number;
  readonly milliseconds: number;
}

/** What they say: where their target is, then how it went. */
export interface CrowdWord {
  readonly port?: number;
  readonly faults?: readonly string[];
}

export async function crowd(milliseconds: number): Promise<void> {
  const socketsBefore = countSockets();
  await Promise.all([serve('bulk', milliseconds), serve('short', milliseconds)]);
  await checkSocketsLeft(socketsBefore, 'crowd');
}

async function serve(kind: 'bulk' | 'short', milliseconds: number): Promise<void> {
  const clients = startClients(kind);
  const { port } = await wordOf(clients);
  const listener = net.createServer();
  await once(listener.listen({ port: 0, host: '127.0.0.1', backlog: 1024 }), 'listening');
  const order: CrowdOrder = { port: portOf(listener), milliseconds };
  const open = new Set<number>();
  const onEvents = (events: readonly LaneEvent[]) => {
    for (const event of events) {
      if (event.type === 'accepted') open.add(event.id);
      if (event.type !== 'ended') continue;
      if (!open.delete(event.id)) faults.push('crowd: an end of a connection that is not open');
      note(`${kind} ${event.error?.code ?? 'eof'}`);
    }
  };
  const targets = [{ address: '127.0.0.1', port: port! }];
  const lane = must(openExpressLane({ listenFd: fdOf(listener), targets, lifeMs: 500, onEvents }));
  listener.close();
  clients.send(order);
  const { faults: seen = [] } = await wordOf(clients);
  faults.push(...seen);
  lane.close();
  await lane.ended;
  if (open.size > 0) faults.push(`crowd: ${open.size} connections have not ended`);
  clients.disconnect();
}

/** A process of their own, without the sanitizer, which is for the engine. */
function startClients(kind: string): ChildProcess {
  const file = fileURLToPath(new URL('soak-clients.ts', import.meta.url));
  return fork(file, [kind], { env: { ...process.env, LD_PRELOAD: '' } });
}

async function wordOf(clients: ChildProcess): Promise<CrowdWord> {
  const [word] = (await once(clients, 'message')) as [CrowdWord];
  return word;
}
