import { writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { collect, payload, sameBytes } from './bytes.ts';
import { startCli, type Cli, type StdinKind } from './cli.ts';
import { connectPeer, serverWords, startPeerServer, type Family } from './peers.ts';
import { tempDir } from './temp.ts';

/**
 * The matrix of ends: {stdin kinds} × {what the other direction does} × {the direction that is looked at}, for one
 * command and one address family. Every cell: all bytes and the end arrive, exit status 0. To `listen` the null device
 * is no input, and its end none to pass on: there the peer ends first.
 */
export function defineEofMatrix(command: 'connect' | 'listen', family: Family): void {
  for (const stdin of ['file', 'pipe', 'null', 'closed'] as const) {
    for (const other of ['quiet', 'blocked', 'done'] as const) {
      for (const direction of ['out', 'in'] as const) {
        const name = `${command} on ${family}: stdin ${stdin}, ${direction} arrives whole while the other way is ${other}`;
        test.serial(name, async (t) => {
          const cell = await openCell(t, command, family, stdin, direction, other);
          await (direction === 'out' ? checkOut(t, cell, other) : checkIn(t, cell, other));
          const exit = await cell.cli.exit;
          t.deepEqual(exit, { code: 0, signal: null }, cell.cli.stderr());
        });
      }
    }
  }
}

type StdinName = 'file' | 'pipe' | 'null' | 'closed';
type Other = 'quiet' | 'blocked' | 'done';

interface Cell {
  readonly cli: Cli;
  readonly peer: Socket;
  /** What goes in on stdin. */
  readonly given: Buffer;
  /** Whether there is an input whose end the peer is told of. */
  readonly hasInput: boolean;
}

/** More than every buffer between two processes: a way that is not read is blocked. */
const blockingBytes = 12 * 1024 * 1024;
const normalBytes = 300_001;

async function openCell(
  t: ExecutionContext,
  command: 'connect' | 'listen',
  family: Family,
  stdin: StdinName,
  direction: 'in' | 'out',
  other: Other,
): Promise<Cell> {
  const canGive = stdin === 'file' || stdin === 'pipe';
  const wanted = direction === 'out' ? normalBytes : other === 'blocked' ? blockingBytes : 0;
  const given = payload(canGive ? wanted : 0);
  let kind: StdinKind = stdin === 'file' ? 'pipe' : stdin;
  if (stdin === 'file') {
    const file = join(tempDir(t), 'input');
    writeFileSync(file, given);
    kind = { file };
  }
  const [cli, peer] =
    command === 'connect' ? await openConnect(t, family, kind) : await openListen(t, family, kind);
  // A quiet pipe stays open until the end of the cell; every other stdin comes to its end.
  if (stdin === 'pipe' && (direction === 'out' || other !== 'quiet')) cli.stdin.end(given);
  return { cli, peer, given, hasInput: canGive || command === 'connect' };
}

async function openConnect(t: ExecutionContext, family: Family, stdin: StdinKind): Promise<[Cli, Socket]> {
  const server = await startPeerServer(t, family);
  const cli = startCli(t, ['connect', ...server.words], { stdin });
  return [cli, await server.accept()];
}

async function openListen(t: ExecutionContext, family: Family, stdin: StdinKind): Promise<[Cli, Socket]> {
  const cli = startCli(t, ['listen', ...serverWords(t, family)], { stdin });
  return [cli, await connectPeer(t, await cli.address())];
}

/** stdin → peer, while the peer's own direction is quiet, blocked by an unread stdout, or over. */
async function checkOut(t: ExecutionContext, cell: Cell, other: Other): Promise<void> {
  const { cli, peer, given, hasInput } = cell;
  const sent = payload(other === 'blocked' ? blockingBytes : 0);
  if (other === 'blocked') peer.write(sent);
  const received = collect(peer);
  if (other !== 'done' && hasInput) sameBytes(t, await received, given);
  peer.end();
  if (other === 'done') sameBytes(t, await received, given);
  sameBytes(t, await collect(cli.stdout), sent);
  t.is((await received).length, given.length);
}

/** peer → stdout, while stdin is quiet, blocked by a peer that does not read, or over. */
async function checkIn(t: ExecutionContext, cell: Cell, other: Other): Promise<void> {
  const { cli, peer, given, hasInput } = cell;
  const sent = payload(normalBytes);
  if (other === 'done' && hasInput) t.is((await collect(peer)).length, 0);
  peer.end(sent);
  sameBytes(t, await collect(cli.stdout), sent);
  if (other === 'blocked') sameBytes(t, await collect(peer), given);
  else peer.resume();
  cli.child.stdin?.end();
}
