import { spawn, type ChildProcess } from 'node:child_process';
import net from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { ExecutionContext } from 'ava';
import { collect, payload, sameBytes } from '../helpers/bytes.ts';
import { closedPort, startCli } from '../helpers/cli.ts';
import { serverWords, toTarget, type Family } from '../helpers/peers.ts';
import { testWith } from '../helpers/programs.ts';
import { tempDir } from '../helpers/temp.ts';
import { untilBound } from '../helpers/until-bound.ts';

type Peer = 'nc.openbsd' | 'ncat' | 'socat';

/** How each peer connects, half-closes at the end of its stdin, and waits for the answer. */
function clientWords(peer: Peer, target: net.NetConnectOpts): string[] {
  if ('path' in target) {
    return {
      'nc.openbsd': ['-N', '-U', target.path],
      ncat: ['-U', target.path],
      socat: ['-t9', '-', `UNIX:${target.path}`],
    }[peer];
  }
  const port = String(target.port);
  return {
    'nc.openbsd': ['-N', '127.0.0.1', port],
    ncat: ['127.0.0.1', port],
    socat: ['-t9', '-', `TCP:127.0.0.1:${port}`],
  }[peer];
}

function listenWords(peer: Peer, target: net.NetConnectOpts): string[] {
  if ('path' in target) {
    return {
      'nc.openbsd': ['-N', '-lU', target.path],
      ncat: ['-lU', target.path],
      socat: ['-t9', '-', `UNIX-LISTEN:${target.path}`],
    }[peer];
  }
  const port = String(target.port);
  return {
    'nc.openbsd': ['-N', '-l', '127.0.0.1', port],
    ncat: ['-l', '127.0.0.1', port],
    socat: ['-t9', '-', `TCP-LISTEN:${port},bind=127.0.0.1`],
  }[peer];
}

function start(t: ExecutionContext, peer: Peer, words: readonly string[]): ChildProcess {
  const child = spawn(peer, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  // A peer that leaves early shows in the bytes that are compared.
  child.stdin.on('error', () => undefined);
  return child;
}

/** Waits until a stream that somebody collects has given so many bytes, or has ended. */
function arrival(stream: Readable, bytes: number): Promise<void> {
  return new Promise((resolve) => {
    let left = bytes;
    stream.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left <= 0) resolve();
    });
    stream.once('end', resolve);
  });
}

async function freeTarget(t: ExecutionContext, family: Family): Promise<net.NetConnectOpts> {
  return family === 'unix'
    ? { path: join(tempDir(t), 's') }
    : { host: '127.0.0.1', port: await closedPort() };
}

for (const peer of ['nc.openbsd', 'ncat', 'socat'] as const) {
  for (const family of ['tcp', 'unix'] as const) {
    testWith(peer)(`${peer} as a client of tnet echo on ${family} gets every byte back`, async (t) => {
      const cli = startCli(t, ['echo', ...serverWords(t, family)]);
      const child = start(t, peer, clientWords(peer, toTarget(await cli.address())));
      const sent = payload(1_000_000);
      child.stdin!.end(sent);
      sameBytes(t, await collect(child.stdout!), sent);
    });

    testWith(peer)(`${peer} as a client of tnet listen on ${family} exchanges both directions`, async (t) => {
      const cli = startCli(t, ['listen', ...serverWords(t, family)]);
      const child = start(t, peer, clientWords(peer, toTarget(await cli.address())));
      const [up, down] = [payload(700_000), payload(600_000)];
      child.stdin!.end(up);
      cli.stdin.end(down);
      const [received, answered] = await Promise.all([collect(cli.stdout), collect(child.stdout!)]);
      sameBytes(t, received, up);
      sameBytes(t, answered, down);
      t.is((await cli.exit).code, 0);
    });

    testWith(peer)(
      `${peer} as a server of tnet connect on ${family} exchanges both directions`,
      async (t) => {
        const target = await freeTarget(t, family);
        const child = start(t, peer, listenWords(peer, target));
        const [up, down] = [payload(700_000), payload(600_000)];
        const received = collect(child.stdout!);
        await untilBound('path' in target ? { path: target.path } : { tcp: target.port });
        const words = 'path' in target ? ['-U', target.path] : ['127.0.0.1', String(target.port)];
        const cli = startCli(t, ['connect', ...words]);
        const answered = collect(cli.stdout);
        const all = [arrival(child.stdout!, up.length), arrival(cli.stdout, down.length)];
        cli.stdin.write(up);
        child.stdin!.write(down);
        // The netcats leave at their client's end, with what they still have to send.
        await Promise.all(all);
        cli.stdin.end();
        child.stdin!.end();
        sameBytes(t, await received, up);
        sameBytes(t, await answered, down);
        t.is((await cli.exit).code, 0);
      },
    );
  }
}
