/**
 * The cost of the socket module: accept + close per second and echo round trips per second, over loopback, of the
 * module against bare node:net. Both take turns within one process, so that what else the machine does hits both; the
 * figure is the median of the rounds' ratios, by the clock and by the process's own CPU time, which a busy machine
 * disturbs less.
 *
 *     node bench/net.ts [rounds] [milliseconds a turn]
 */
import { once } from 'node:events';
import plain from 'node:net';
import tnet from '../src/net/index.ts';

type Net = Pick<typeof plain, 'createServer' | 'connect'>;

const modules: Record<'node:net' | 'tnet', Net> = { 'node:net': plain, tnet: tnet };
const names = ['node:net', 'tnet'] as const;
const [rounds = 15, turnMs = 300] = process.argv.slice(2).map(Number);

interface Rate {
  readonly perSecond: number;
  readonly perCpuSecond: number;
}

function startClock(): (count: number) => Rate {
  const started = performance.now();
  const cpu = process.cpuUsage();
  return (count) => {
    const { user, system } = process.cpuUsage(cpu);
    return {
      perSecond: count / ((performance.now() - started) / 1000),
      perCpuSecond: count / ((user + system) / 1e6),
    };
  };
}

async function countAccepts(net: Net): Promise<Rate> {
  const server = net.createServer((socket) => socket.on('error', () => undefined).destroy());
  const port = await listen(server);
  let done = 0;
  let isOver = false;
  const again = (): Promise<void> =>
    new Promise((resolve) => {
      const next = () => {
        if (isOver) {
          resolve();
          return;
        }
        const socket = net.connect(port, '127.0.0.1');
        socket.on('error', () => undefined);
        socket.once('close', () => {
          done++;
          next();
        });
        socket.resume();
      };
      next();
    });
  setTimeout(() => (isOver = true), turnMs);
  const stop = startClock();
  await Promise.all(Array.from({ length: 16 }, again));
  const rate = stop(done);
  server.close();
  return rate;
}

async function countEchoes(net: Net, options: object = {}): Promise<Rate> {
  const server = net.createServer({ noDelay: true, ...options }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => socket.write(chunk));
  });
  const port = await listen(server);
  const client = net.connect({ port, host: '127.0.0.1', noDelay: true, ...options });
  await once(client, 'connect');
  const ping = Buffer.alloc(64, 1);
  let done = 0;
  client.on('data', () => {
    done++;
    client.write(ping);
  });
  const stop = startClock();
  client.write(ping);
  await new Promise((resolve) => setTimeout(resolve, turnMs));
  const rate = stop(done);
  client.destroy();
  server.close();
  await once(server, 'close');
  return rate;
}

async function listen(server: plain.Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as plain.AddressInfo).port;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[sorted.length >> 1] ?? NaN;
}

async function compare(title: string, measure: (net: Net) => Promise<Rate>): Promise<void> {
  const rates = { 'node:net': [] as Rate[], tnet: [] as Rate[] };
  for (const name of names) await measure(modules[name]);
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      rates[name].push(await measure(modules[name]));
    }
  }
  const [base, own] = names.map((name) => Math.round(median(rates[name].map((rate) => rate.perSecond))));
  const [clock, cpu] = (['perSecond', 'perCpuSecond'] as const).map((unit) => {
    const ratios = rates.tnet.map((rate, round) => rate[unit] / (rates['node:net'][round]?.[unit] ?? NaN));
    const [low, high] = [Math.min(...ratios), Math.max(...ratios)].map((ratio) => ratio.toFixed(2));
    return `${median(ratios).toFixed(3)} (${low} to ${high})`;
  });
  console.log(`${title}: node:net ${base}/s, tnet ${own}/s, ratio ${clock}, by CPU time ${cpu}`);
}

console.log(`Node ${process.versions.node}, ${rounds} rounds of ${turnMs} ms, medians`);
await compare('accept + close', countAccepts);
await compare('echo of 64 bytes', (net) => countEchoes(net));
await compare('echo of 64 bytes, dataBeforeError', (net) =>
  countEchoes(net, net === plain ? {} : { dataBeforeError: true }),
);
