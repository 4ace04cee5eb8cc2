import { readFileSync } from 'node:fs';
import vm from 'node:vm';
import test, { type ExecutionContext } from 'ava';
import { ask, payload, sameBytes } from '../../helpers/bytes.ts';
import { startCli } from '../../helpers/cli.ts';
import { connectPeer } from '../../helpers/peers.ts';
import { startProxy as startOwnProxy } from '../../helpers/proxied.ts';
import { startEcho, startNamed } from '../../helpers/proxy.ts';
import { readToEnd, sendInPieces, startControl, timeOf, visit } from '../../helpers/toxiproxy-world.ts';

/** Looks at the effect of a scenario, as a client that connects to an address. @returns what was measured */
type Probe = (t: ExecutionContext, address: string) => Promise<string>;

/** Timers may be a little early. */
const early = 0.95;

const probes: Readonly<Record<string, Probe>> = {
  async 'slow answers'(t, address) {
    const socket = await connectPeer(t, address);
    const ms = await timeOf(() => ask(socket, 'a', 1));
    t.true(ms >= 300 * early, String(ms));
    return `${Math.round(ms)} ms`;
  },
  async 'an unsteady line'(t, address) {
    const socket = await connectPeer(t, address);
    const times: number[] = [];
    for (let nth = 0; nth < 12; nth++) times.push(await timeOf(() => ask(socket, 'a', 1)));
    const [least, most] = [Math.min(...times), Math.max(...times)];
    t.true(least >= 20 * early && most > least + 5, String(times));
    return `${Math.round(least)} to ${Math.round(most)} ms`;
  },
  async 'a narrow line'(t, address) {
    const socket = await connectPeer(t, address);
    const ms = await timeOf(() => ask(socket, payload(20_000), 20_000));
    t.true(ms >= 500 * 0.85, String(ms));
    return `${Math.round(ms)} ms`;
  },
  async 'a dead line'(t, address) {
    const socket = await connectPeer(t, address);
    socket.write('abc');
    let isOver = false;
    void readToEnd(socket).then(() => (isOver = true));
    await new Promise((resolve) => setTimeout(resolve, 200));
    t.is(socket.bytesRead, 0);
    t.false(isOver);
    return 'nothing';
  },
  async 'a server that hangs, and then gives up'(t, address) {
    const { bytes, end, ms } = await visit(t, address, 'abc');
    t.is(bytes.length, 0);
    t.true(ms >= 400 * early, String(ms));
    return `${end} after ${Math.round(ms)} ms`;
  },
  async 'a reset'(t, address) {
    const { end, ms } = await visit(t, address, 'abc');
    t.is(end, 'ECONNRESET');
    t.true(ms >= 300 * early, String(ms));
    return `${end} after ${Math.round(ms)} ms`;
  },
  async 'an answer that is cut short'(t, address) {
    const sent = payload(3_000);
    const { bytes, end } = await visit(t, address, sent);
    sameBytes(t, bytes, sent.subarray(0, 1_000));
    return `${bytes.length} bytes, then ${end}`;
  },
  async 'small pieces'(t, address) {
    const socket = await connectPeer(t, address);
    const sent = payload(2_000);
    const { chunks, ms } = await sendInPieces(socket, sent);
    sameBytes(t, Buffer.concat(chunks), sent);
    // However the pieces arrive together here, 20 of them have waited for each other.
    t.true(ms >= 19 * 5 * 0.9, String(ms));
    return `${chunks.length} pieces in ${Math.round(ms)} ms`;
  },
  async 'an end that is long in coming'(t, address) {
    const { bytes, end, ms } = await visit(t, address);
    t.deepEqual([bytes.toString(), end], ['answer', 'end']);
    t.true(ms >= 400 * early, String(ms));
    return `${Math.round(ms)} ms`;
  },
  async 'a server that is down'(t, address) {
    const { bytes, end } = await visit(t, address);
    t.is(bytes.length, 0);
    return end;
  },
  async 'some connections fail'(t, address) {
    let cut = 0;
    for (let nth = 0; nth < 40; nth++) {
      const socket = await connectPeer(t, address);
      socket.write('xy');
      const got = ask(socket, '', 2).then(() => 'whole');
      got.catch(() => undefined);
      if ((await Promise.race([got, readToEnd(socket)])) !== 'whole') cut++;
      socket.destroy();
    }
    t.true(cut > 0 && cut < 40, String(cut));
    return `${cut} of 40`;
  },
  async 'damaged bytes'(t, address) {
    const socket = await connectPeer(t, address);
    const sent = payload(100_000);
    const got = await ask(socket, sent, sent.length);
    const damaged = got.filter((byte, at) => byte !== sent[at]).length;
    t.true(damaged > 500 && damaged < 2_000, String(damaged));
    return `${damaged} bytes`;
  },
};

interface Scenario {
  readonly title: string;
  readonly commandLine: string;
  readonly apiCall: string;
  readonly libraryCall: string;
}

const doc = readFileSync(new URL('../../../docs/faults.md', import.meta.url), 'utf8');
const [, table = ''] = /## Twelve scenarios\n(.*?)\n## /s.exec(doc) ?? [];
const scenarios: readonly Scenario[] = table
  .split('\n')
  .filter((line) => line.includes('| `tnet proxy '))
  .map((line) => {
    const [title = '', ...cells] = line
      .split('|')
      .slice(1)
      .map((cell) => cell.trim().replace(/^`(.*)`$/, '$1'));
    const [commandLine = '', apiCall = '', libraryCall = ''] = cells;
    return { title, commandLine, apiCall, libraryCall };
  });

test('docs/faults.md has twelve scenarios, and each is measured', (t) => {
  t.deepEqual(
    scenarios.map(({ title }) => title),
    Object.keys(probes),
  );
  t.is(scenarios.length, 12);
});

/** Where the scenario leads, unless it says otherwise. */
const startUpstream = (t: ExecutionContext, title: string) =>
  title === 'an end that is long in coming' ? startNamed(t, 'answer') : startEcho(t);

for (const { title, commandLine, apiCall, libraryCall } of scenarios) {
  const probe: Probe = (t, address) => probes[title]!(t, address);

  test(`${title}: the command line has the effect`, async (t) => {
    const upstream = await startUpstream(t, title);
    const [program, ...words] = commandLine.split(' ');
    t.is(program, 'tnet');
    const places: Readonly<Record<string, string>> = { '8080': '127.0.0.1:0', '127.0.0.1:5432': upstream };
    const cli = startCli(
      t,
      words.map((word) => places[word] ?? word),
    );
    t.log(await probe(t, await cli.address()));
  });

  test(`${title}: the call of the API has the effect`, async (t) => {
    const { url, client } = await startControl(t);
    const upstream = await startUpstream(t, title);
    const { listen } = await client.createProxy({ name: 'db', listen: '127.0.0.1:0', upstream });
    const [, method = '', path = '', body = ''] = /^(\w+) (\S+) (.*)$/.exec(apiCall) ?? [];
    const { status } = await fetch(url + path, { method, body });
    t.is(status, 200);
    t.log(await probe(t, listen));
  });

  test(`${title}: the call of the library has the effect`, async (t) => {
    const upstream = await startUpstream(t, title);
    const { proxy } = await startOwnProxy(t, { name: 'db', listen: '127.0.0.1:0', targets: [upstream] });
    await (vm.runInNewContext(libraryCall, { proxy }) as Promise<unknown>);
    t.log(await probe(t, proxy.addresses[0]!));
  });
}
