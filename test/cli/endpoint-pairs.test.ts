import dgram from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { loadNativeAddon } from '../../src/native/addon.ts';
import { payload } from '../helpers/bytes.ts';
import { createAuthority } from '../helpers/certificates.ts';
import { startCli, type Cli } from '../helpers/cli.ts';
import {
  clientKinds,
  sendAll,
  targetKinds,
  type ClientKind,
  type Exchange,
  type Order,
  type Target,
  type TargetRun,
} from '../helpers/endpoint-ends.ts';
import { bindDatagramPeer, testMessages } from '../helpers/messages.ts';
import { tempDir } from '../helpers/temp.ts';

const authority = createAuthority();
const certificate = authority.issue('server', 'IP:127.0.0.1');
test.after.always(() => authority.remove());

const numRuns = 3;
/** Long enough for any machine; what has not finished by then is named. */
const limitMs = 100_000;

const ways = [
  { way: 'in the express lane', hasAddon: true, env: {} },
  { way: 'by the native engine', hasAddon: true, env: { TNET_EXPRESS: '0' } },
  { way: 'by Node streams', hasAddon: false, env: { TNET_NATIVE: '0' } },
] as const;

interface Cell {
  readonly name: string;
  readonly client: ClientKind;
  readonly bound: string;
  readonly target: Target;
  readonly orders: readonly Order[];
}

/** What the proxy has to count. */
interface Sum {
  connections: number;
  bytesIn: number;
  bytesOut: number;
}

/** One proxy with a pair for each kind of LISTEN and each kind of TARGET. */
async function startPairs(
  t: ExecutionContext,
  { hasAddon, env }: (typeof ways)[number],
): Promise<{ cells: Cell[]; cli: Cli }> {
  const isThere = ({ needsAddon }: { readonly needsAddon?: boolean }) => hasAddon || !needsAddon;
  const plans = clientKinds
    .filter(isThere)
    .flatMap((client) => targetKinds.filter(isThere).map((targetKind) => ({ client, targetKind })));
  const targets: Target[] = [];
  for (const { targetKind } of plans) targets.push(await targetKind.start(t, certificate));
  const pairs = plans.map(({ client }, index) => ({
    listen: client.address(t),
    targets: [targets[index]!.words],
    ...targets[index]!.settings,
  }));
  const file = join(tempDir(t), 'proxy.json');
  writeFileSync(file, JSON.stringify({ pairs }));
  const cli = startCli(t, ['proxy', '--config', file], { env });
  const [lines] = await cli.said(new RegExp(`(?:.*listening on .+\n){${pairs.length}}`));
  const bound = [...lines.matchAll(/listening on (.+)\n/g)].map((match) => match[1]!);
  const cells = plans.map(({ client, targetKind }, index) => ({
    name: `${client.name} to ${targetKind.name}`,
    client,
    bound: bound[index]!,
    target: targets[index]!,
    orders: targetKind.orders,
  }));
  return { cells, cli };
}

/** Reads to the end, and sends at once, after the end, or after the first bytes. */
async function converse(
  stream: Duplex,
  { question }: Exchange,
  { order, readyBytes }: { readonly order: Order; readonly readyBytes?: number | undefined },
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let isSent = readyBytes === undefined;
  stream.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (isSent || bytes < readyBytes!) return;
    isSent = true;
    for (const part of question) stream.write(part);
  });
  if (order === 'client') sendAll(stream, question);
  await new Promise<void>((resolve, reject) => {
    stream.once('end', resolve);
    stream.once('error', reject);
    stream.once('close', () => reject(new Error('closed before its end')));
  });
  if (order === 'server') sendAll(stream, readyBytes === undefined ? question : []);
  return Buffer.concat(chunks);
}

/** What is wrong with a side, or nothing. */
function compare(side: string, got: Buffer, sent: Buffer): string[] {
  if (got.equals(sent)) return [];
  const at = got.findIndex((byte, index) => byte !== sent[index]);
  return [
    `the ${side} got ${got.length} bytes of ${sent.length}; they differ from ${at < 0 ? 'the end' : at} on`,
  ];
}

async function runCell(
  t: ExecutionContext,
  { client, bound }: Cell,
  { exchange, order, run }: { readonly exchange: Exchange; readonly order: Order; readonly run: TargetRun },
): Promise<string[]> {
  const stream = await client.open(t, bound);
  const [answer, got] = await Promise.all([
    converse(stream, exchange, { order, readyBytes: run.readyBytes }),
    run.got,
  ]);
  stream.destroy();
  return [
    ...compare('client', answer, run.answer),
    ...(got ? compare('target', got, Buffer.concat(exchange.question)) : []),
  ];
}

/** Runs all cells at once, each in its orders. @returns what is wrong, by cell */
async function runCells(
  t: ExecutionContext,
  cells: readonly Cell[],
  { exchanges, sum }: { readonly exchanges: readonly Exchange[]; readonly sum: Sum },
): Promise<string[]> {
  const unfinished = new Set<string>();
  const all = Promise.all(
    cells.map(async (cell, index) => {
      const wrong: string[] = [];
      for (const order of cell.orders) {
        const title = `${cell.name}, the ${order} ends first`;
        unfinished.add(title);
        const exchange = exchanges[index]!;
        const run = cell.target.run(exchange, order);
        sum.connections += 1;
        sum.bytesIn += Buffer.concat(exchange.question).length;
        sum.bytesOut += run.answer.length;
        const found = await runCell(t, cell, { exchange, order, run }).catch((error: unknown) => [
          String(error),
        ]);
        unfinished.delete(title);
        wrong.push(...found.map((what) => `${title}: ${what}`));
      }
      return wrong;
    }),
  );
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string[][]>((resolve) => {
    timer = setTimeout(() => resolve([[...unfinished].map((title) => `${title}: not finished`)]), limitMs);
  });
  const wrong = await Promise.race([all, late]);
  clearTimeout(timer);
  return wrong.flat();
}

/** Bytes in chunks: none, a few, or more than any buffer on the way. */
const someChunks = fc
  .tuple(
    fc.oneof(fc.constant(0), fc.nat(10), fc.nat(5_000), fc.nat(300_000)),
    fc.array(fc.integer({ min: 1, max: 70_000 }), { maxLength: 8 }),
  )
  .map(([bytes, lengths]) => {
    const chunks: Buffer[] = [];
    let rest = payload(bytes);
    for (const length of [...lengths, rest.length]) {
      if (rest.length > 0) chunks.push(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
    return chunks;
  });
const someExchange = fc.record({ question: someChunks, answer: someChunks });

for (const way of ways) {
  const testWay = way.hasAddon && !loadNativeAddon() ? test.serial.skip : test.serial;
  testWay(
    `every byte and both ends cross between any two kinds of stream, whichever side ends first (${way.way})`,
    async (t) => {
      t.timeout(2 * limitMs);
      const { cells, cli } = await startPairs(t, way);
      const listening = cli.stderr();
      const sum = { connections: 0, bytesIn: 0, bytesOut: 0 };
      const exchanges = fc.array(someExchange, { minLength: cells.length, maxLength: cells.length });
      const property = fc.asyncProperty(exchanges, async (some) => {
        const wrong = await runCells(t, cells, { exchanges: some, sum });
        if (wrong.length > 0) throw new Error(wrong.join('\n'));
      });
      // No shrinking: a failure names its cells and places, and depends on timing more than on sizes.
      await fc.assert(property, { numRuns, endOnFailure: true });
      cli.child.kill('SIGTERM');
      t.deepEqual(await cli.exit, { code: 143, signal: 'SIGTERM' });
      // One line of totals, without a failed connection or any other complaint; a connection whose bytes and ends have come
      // may still be closing.
      const totals = `${sum.connections} connections, ${sum.bytesIn} bytes in, ${sum.bytesOut} bytes out in `;
      t.regex(
        cli.stderr().slice(listening.length),
        new RegExp(`^(?:tnet proxy: waiting for .+\n)?tnet proxy: ${totals}[^ ]+ s\n$`),
      );
    },
  );
}

/** A socket of datagrams: its address as tnet takes it. */
interface DatagramEnd {
  readonly address: string;
  /** Sends a message to a proxy, and gives the next one that comes. */
  readonly ask: (to: string, message: Buffer) => Promise<Buffer>;
  /** From now on, every message goes back to who sent it. */
  readonly echo: () => void;
}

async function bindUdp(t: ExecutionContext): Promise<DatagramEnd> {
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  t.teardown(() => socket.close());
  return {
    address: `udp://127.0.0.1:${socket.address().port}`,
    async ask(to, message) {
      const answered = once(socket, 'message');
      socket.send(message, Number(to.split(':').at(-1)), '127.0.0.1');
      return (await answered)[0] as Buffer;
    },
    echo: () => socket.on('message', (message, { port, address }) => socket.send(message, port, address)),
  };
}

function bindUnixDatagrams(t: ExecutionContext): Promise<DatagramEnd> {
  const path = join(tempDir(t), 's');
  const peer = bindDatagramPeer(t, path);
  const answerAll = async () => {
    for (let count = 1; ; count += 1) {
      const { bytes, name } = (await peer.until(count))[count - 1]!;
      await peer.send(bytes, name!);
    }
  };
  return Promise.resolve({
    address: `unix-dgram:${path}`,
    async ask(to, message) {
      const count = peer.heard.length + 1;
      await peer.send(message, to.replace(/^unix-dgram:/, ''));
      return (await peer.until(count))[count - 1]!.bytes;
    },
    echo: () => void answerAll(),
  });
}

const datagramKinds = [
  { name: 'udp', bind: bindUdp, listen: () => 'udp://127.0.0.1:0' },
  {
    name: 'unix-dgram',
    bind: bindUnixDatagrams,
    listen: (t: ExecutionContext) => `unix-dgram:${join(tempDir(t), 's')}`,
  },
] as const;

for (const client of datagramKinds) {
  for (const target of datagramKinds) {
    testMessages(`a message of any size goes from ${client.name} to ${target.name} and back`, async (t) => {
      t.timeout(limitMs);
      const [one, other] = [await client.bind(t), await target.bind(t)];
      other.echo();
      const to = await startCli(t, ['proxy', client.listen(t), other.address]).address();
      const sizes = fc.oneof(fc.constant(0), fc.nat(100), fc.nat(60_000));
      const property = fc.asyncProperty(sizes, async (bytes) => {
        const sent = payload(bytes);
        const wrong = compare('client', await one.ask(to, sent), sent);
        if (wrong.length > 0) throw new Error(wrong.join('\n'));
      });
      await fc.assert(property, { numRuns: 20, endOnFailure: true });
      t.pass();
    });
  }
}
