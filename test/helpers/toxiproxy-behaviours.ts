import { once } from 'node:events';
import type { ExecutionContext } from 'ava';
import { ask, payload, sameBytes } from './bytes.ts';
import { startPeerServer } from './peers.ts';
import { startEcho, startNamed, waitEnd } from './proxy.ts';
import {
  addToxic,
  connectTo,
  makeProxy,
  readToEnd,
  sendInPieces,
  timeOf,
  visit,
  type ToxiproxyServer,
} from './toxiproxy-world.ts';

/** What toxiproxy does, as its client sees it. What is measured is returned, for the table of docs/faults.md. */
export interface Behaviour {
  readonly title: string;
  /** It changes every proxy of the server. */
  readonly isAlone?: boolean;
  /** What tnet is measured to do, where toxiproxy does something else. */
  readonly ours?: string;
  readonly run: (t: ExecutionContext, server: ToxiproxyServer) => Promise<string>;
}

/** Timers may be a little early. */
const early = 0.95;

const shown = (ms: number) => `${Math.round(ms)} ms`;

export const behaviours: readonly Behaviour[] = [
  {
    title: 'a latency acts on an open connection, and ends when it is removed',
    async run(t, server) {
      const proxy = await makeProxy(t, server);
      const socket = await connectTo(t, proxy);
      await ask(socket, 'a', 1);
      const toxic = await addToxic(proxy, 'latency', { latency: 300, jitter: 0 });
      const slow = await timeOf(() => ask(socket, 'b', 1));
      await toxic.remove();
      // One of several: a busy machine delays some of them by as much.
      let quick = Infinity;
      for (let nth = 0; nth < 20 && quick >= slow; nth++) quick = await timeOf(() => ask(socket, 'c', 1));
      t.true(slow >= 300 * early, shown(slow));
      t.true(quick < slow, shown(quick));
      return `${shown(slow)}, then ${shown(quick)}`;
    },
  },
  {
    title: 'latencies of one stream and of both add up',
    async run(t, server) {
      const proxy = await makeProxy(t, server);
      await addToxic(proxy, 'latency', { latency: 100, jitter: 0 }, { stream: 'upstream' });
      await addToxic(proxy, 'latency', { latency: 100, jitter: 0 });
      await addToxic(proxy, 'latency', { latency: 100, jitter: 0 }, { name: 'more' });
      const socket = await connectTo(t, proxy);
      const ms = await timeOf(() => ask(socket, 'a', 1));
      t.true(ms >= 300 * early, shown(ms));
      return shown(ms);
    },
  },
  {
    title: 'a jitter varies the latency',
    async run(t, server) {
      const proxy = await makeProxy(t, server);
      await addToxic(proxy, 'latency', { latency: 60, jitter: 40 });
      const socket = await connectTo(t, proxy);
      const times: number[] = [];
      for (let nth = 0; nth < 12; nth++) times.push(await timeOf(() => ask(socket, 'a', 1)));
      const [least, most] = [Math.min(...times), Math.max(...times)];
      t.true(least >= 20 * early, shown(least));
      t.true(most > least + 5, shown(most));
      return `${Math.round(least)} to ${shown(most)}`;
    },
  },
  {
    title: 'a latency is changed on an open connection',
    async run(t, server) {
      const proxy = await makeProxy(t, server);
      const socket = await connectTo(t, proxy);
      const toxic = await addToxic(proxy, 'latency', { latency: 0, jitter: 7 });
      const changed = await toxic.update({ ...toxic.toJson(), attributes: { latency: 250, jitter: 0 } });
      t.deepEqual(changed.attributes, { latency: 250, jitter: 0 });
      const ms = await timeOf(() => ask(socket, 'a', 1));
      t.true(ms >= 250 * early, shown(ms));
      return shown(ms);
    },
  },
  {
    title: 'bytes pass at the rate of a bandwidth',
    async run(t, server) {
      const proxy = await makeProxy(t, server);
      await addToxic(proxy, 'bandwidth', { rate: 40 });
      const socket = await connectTo(t, proxy);
      const sent = payload(20_000);
      let got: Buffer = Buffer.alloc(0);
      const ms = await timeOf(async () => {
        got = await ask(socket, sent, sent.length);
      });
      sameBytes(t, got, sent);
      t.true(ms >= 500 * 0.85, shown(ms));
      return `20 kB in ${shown(ms)}`;
    },
  },
  {
    title: 'a rate of 0 holds everything until it is removed',
    async run(t, server) {
      const proxy = await makeProxy(t, server);
      const toxic = await addToxic(proxy, 'bandwidth', { rate: 0 });
      const socket = await connectTo(t, proxy);
      const got = ask(socket, 'abc', 3);
      await new Promise((resolve) => setTimeout(resolve, 150));
      t.is(socket.bytesRead, 0);
      await toxic.remove();
      t.is((await got).toString(), 'abc');
      return 'all arrived';
    },
  },
  {
    title: 'a slow close delays the end',
    async run(t, server) {
      const proxy = await makeProxy(t, server, await startNamed(t, 'x'));
      await addToxic(proxy, 'slow_close', { delay: 300 });
      const { bytes, end, ms } = await visit(t, proxy.listen);
      t.deepEqual([bytes.toString(), end], ['x', 'end']);
      t.true(ms >= 300 * early, shown(ms));
      return shown(ms);
    },
  },
  {
    title: 'a timeout stops every byte, and closes the connection after its time',
    async run(t, server) {
      const proxy = await makeProxy(t, server);
      await addToxic(proxy, 'timeout', { timeout: 300 });
      const { bytes, end, ms } = await visit(t, proxy.listen, 'abc');
      t.is(bytes.length, 0);
      t.true(ms >= 300 * early, shown(ms));
      return `${end} after ${shown(ms)}`;
    },
  },
  {
    title: 'a timeout of 0 drops bytes, and its removal closes the connection',
    async run(t, server) {
      const proxy = await makeProxy(t, server);
      const socket = await connectTo(t, proxy);
      await ask(socket, 'a', 1);
      const toxic = await addToxic(proxy, 'timeout', { timeout: 0 });
      socket.write('bcd');
      const over = readToEnd(socket);
      await new Promise((resolve) => setTimeout(resolve, 100));
      t.is(socket.bytesRead, 1);
      await toxic.remove();
      const { bytes, end } = await over;
      t.is(bytes.length, 0);
      return end;
    },
  },
  {
    title: 'a reset comes after the time since the first byte',
    async run(t, server) {
      const proxy = await makeProxy(t, server);
      await addToxic(proxy, 'reset_peer', { timeout: 200 }, { stream: 'upstream' });
      const { bytes, end, ms } = await visit(t, proxy.listen, 'abc');
      t.deepEqual([bytes.length, end], [0, 'ECONNRESET']);
      t.true(ms >= 200 * early, shown(ms));
      return `${end} after ${shown(ms)}`;
    },
  },
  {
    title: 'a slicer cuts into small pieces with pauses',
    async run(t, server) {
      const proxy = await makeProxy(t, server);
      await addToxic(proxy, 'slicer', { average_size: 100, size_variation: 20, delay: 3_000 });
      const socket = await connectTo(t, proxy);
      const sent = payload(2_000);
      const { chunks, ms } = await sendInPieces(socket, sent);
      sameBytes(t, Buffer.concat(chunks), sent);
      // However the pieces arrive together here, 16 of them have waited for each other.
      t.true(ms >= 15 * 3 * 0.9, shown(ms));
      return `2 kB in ${chunks.length} pieces and ${shown(ms)}`;
    },
  },
  {
    title: 'a limit closes the connection after exactly its bytes',
    async run(t, server) {
      const proxy = await makeProxy(t, server);
      await addToxic(proxy, 'limit_data', { bytes: 1_000 });
      const sent = payload(3_000);
      const { bytes, end } = await visit(t, proxy.listen, sent);
      sameBytes(t, bytes, sent.subarray(0, 1_000));
      return `${bytes.length} bytes, then ${end}`;
    },
  },
  {
    title: 'a limit of 0 closes the connection at the first byte',
    async run(t, server) {
      const proxy = await makeProxy(t, server);
      await addToxic(proxy, 'limit_data', { bytes: 0 });
      const { bytes, end } = await visit(t, proxy.listen, 'abc');
      t.is(bytes.length, 0);
      return end;
    },
  },
  {
    title: 'a toxicity is the share of connections that have the toxic',
    async run(t, server) {
      const proxy = await makeProxy(t, server);
      await addToxic(proxy, 'limit_data', { bytes: 0 }, { toxicity: 0.5 });
      let cut = 0;
      for (let nth = 0; nth < 40; nth++) {
        const socket = await connectTo(t, proxy);
        socket.write('x');
        const first = await Promise.race([once(socket, 'data').then(() => 'data'), readToEnd(socket)]);
        if (first !== 'data' && (first as { bytes: Buffer }).bytes.length === 0) cut++;
        socket.destroy();
      }
      t.true(cut > 0 && cut < 40, String(cut));
      return `${cut} of 40`;
    },
  },
  {
    title: 'with a toxicity of 0 no connection has the toxic',
    async run(t, server) {
      const proxy = await makeProxy(t, server);
      await addToxic(proxy, 'timeout', { timeout: 0 }, { toxicity: 0 });
      const socket = await connectTo(t, proxy);
      t.is((await ask(socket, 'a', 1)).toString(), 'a');
      return 'nothing happened';
    },
  },
  {
    title:
      'a proxy that is disabled accepts nobody and ends its connections, and is enabled again at its port',
    async run(t, server) {
      const proxy = await makeProxy(t, server);
      const socket = await connectTo(t, proxy);
      await ask(socket, 'a', 1);
      const over = readToEnd(socket);
      const down = await proxy.update({ ...proxy.toJson(), enabled: false });
      t.deepEqual([down.enabled, down.listen], [false, proxy.listen]);
      const { end } = await over;
      t.is(await waitEnd(t, proxy.listen), 'ECONNREFUSED');
      const up = await down.update({ ...down.toJson(), enabled: true });
      t.deepEqual([up.enabled, up.listen], [true, proxy.listen]);
      t.is((await ask(await connectTo(t, up), 'b', 1)).toString(), 'b');
      return `${end}, then ECONNREFUSED, then served`;
    },
  },
  {
    title: 'another upstream ends the connections, and serves the next ones',
    async run(t, server) {
      const proxy = await makeProxy(t, server);
      const socket = await connectTo(t, proxy);
      await ask(socket, 'a', 1);
      const over = readToEnd(socket);
      const upstream = await startNamed(t, 'other');
      const led = await proxy.update({ ...proxy.toJson(), enabled: true, upstream });
      t.deepEqual([led.upstream, led.listen], [upstream, proxy.listen]);
      const { end } = await over;
      t.is((await visit(t, led.listen)).bytes.toString(), 'other');
      return end;
    },
  },
  {
    title: 'a client of an upstream that is down is closed',
    async run(t, server) {
      const proxy = await makeProxy(t, server, '127.0.0.1:1');
      const { bytes, end } = await visit(t, proxy.listen);
      t.is(bytes.length, 0);
      return end;
    },
  },
  {
    title: 'a server that answers after the end of the client is heard',
    ours: 'the answer came',
    async run(t, server) {
      const { words } = await startPeerServer(t, 'tcp', (socket) => {
        socket.resume().once('end', () => socket.end('answer'));
      });
      const proxy = await makeProxy(t, server, words.join(':'));
      const socket = await connectTo(t, proxy);
      socket.end('question');
      const { bytes } = await readToEnd(socket);
      return bytes.toString() === 'answer' ? 'the answer came' : 'nothing came';
    },
  },
  {
    title: 'a megabyte goes through whole while a latency comes and goes',
    async run(t, server) {
      const proxy = await makeProxy(t, server);
      const socket = await connectTo(t, proxy);
      const sent = payload(1_000_000);
      const got = ask(socket, sent, sent.length);
      for (let nth = 0; nth < 10; nth++) {
        const toxic = await addToxic(proxy, 'latency', { latency: 5, jitter: 2 });
        await toxic.remove();
      }
      sameBytes(t, await got, sent);
      return 'every byte right';
    },
  },
  {
    title: 'a removed proxy accepts nobody and ends its connections',
    async run(t, server) {
      const proxy = await makeProxy(t, server);
      const socket = await connectTo(t, proxy);
      await ask(socket, 'a', 1);
      const over = readToEnd(socket);
      await proxy.remove();
      const { end } = await over;
      t.is(await waitEnd(t, proxy.listen), 'ECONNREFUSED');
      await t.throwsAsync(server.client.get(proxy.name), { message: /404/ });
      return end;
    },
  },
  {
    title: 'a list of proxies is made, and leaves those that are there already as they are',
    async run(t, server) {
      const upstream = await startEcho(t);
      const { one } = await server.client.populate([{ name: 'one', listen: '127.0.0.1:0', upstream }]);
      const socket = await connectTo(t, one!);
      await addToxic(one!, 'latency', { latency: 1, jitter: 0 });
      const made = await server.client.populate([
        { name: 'one', listen: one!.listen, upstream },
        { name: 'two', listen: '127.0.0.1:0', upstream, enabled: false },
      ]);
      t.deepEqual(Object.keys(made).sort(), ['one', 'two']);
      t.deepEqual([made['one']!.listen, made['two']!.enabled], [one!.listen, false]);
      await one!.getToxic('latency downstream');
      t.is((await ask(socket, 'a', 1)).toString(), 'a');
      return 'the connection went on';
    },
  },
  {
    title: 'a reset of all enables every proxy and removes every toxic',
    isAlone: true,
    async run(t, server) {
      const proxy = await makeProxy(t, server);
      await addToxic(proxy, 'timeout', { timeout: 0 });
      await addToxic(proxy, 'limit_data', { bytes: 0 }, { stream: 'upstream' });
      await proxy.update({ ...proxy.toJson(), enabled: false });
      await server.client.reset();
      const all = await server.client.getAll();
      t.deepEqual(Object.keys(all), [proxy.name]);
      t.true(all[proxy.name]!.enabled);
      t.is((await ask(await connectTo(t, proxy), 'a', 1)).toString(), 'a');
      await t.throwsAsync(proxy.getToxic('timeout downstream'), { message: /404/ });
      return 'served';
    },
  },
  {
    title: 'the client is told its mistakes by status',
    async run(t, server) {
      const proxy = await makeProxy(t, server);
      const { name, upstream } = proxy;
      const status = (code: number) => ({ message: `Request failed with status code ${code}` });
      const create = (body: object) => server.client.createProxy({ name, listen: '', upstream, ...body });
      await t.throwsAsync(create({}), status(409));
      await t.throwsAsync(create({ name: '' }), status(400));
      await t.throwsAsync(create({ name: `${name} other`, listen: proxy.listen }), status(500));
      await t.throwsAsync(addToxic(proxy, 'down', {}), status(400));
      await addToxic(proxy, 'slow_close', { delay: 1 });
      await t.throwsAsync(addToxic(proxy, 'slow_close', { delay: 1 }), status(409));
      await t.throwsAsync(proxy.getToxic('none'), status(404));
      t.regex(await server.client.getVersion(), /"version"/);
      return '400, 404, 409, 500';
    },
  },
];
