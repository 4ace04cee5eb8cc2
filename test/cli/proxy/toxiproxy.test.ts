import test, { type ExecutionContext } from 'ava';
import { ask } from '../../helpers/bytes.ts';
import { startControlled } from '../../helpers/control.ts';
import { connectPeer } from '../../helpers/peers.ts';
import { startEcho } from '../../helpers/proxy.ts';
import { behaviours } from '../../helpers/toxiproxy-behaviours.ts';
import { toxiproxyCalls, withoutPorts, withPorts } from '../../helpers/toxiproxy-calls.ts';
import {
  findPorts,
  realToxiproxy,
  startControl,
  startRealToxiproxy,
  timeOf,
  type ToxiproxyServer,
} from '../../helpers/toxiproxy-world.ts';

type Start = (t: ExecutionContext) => Promise<ToxiproxyServer>;

const servers: readonly [name: string, start: Start, isOurs: boolean][] = [
  ['tnet', startControl, true],
  ['tnet and two workers', (t) => startControl(t, '--workers', '2'), true],
  ...(realToxiproxy === undefined
    ? []
    : [['toxiproxy', startRealToxiproxy, false] as [string, Start, boolean]]),
];
if (realToxiproxy === undefined)
  console.log('skipped: the comparison with toxiproxy itself; toxiproxy-server is not installed');

/** Ends what the tests of this file share. */
const ends: (() => unknown)[] = [];
test.after.always(async () => {
  for (const end of ends) await end();
});
const shared = { teardown: (end: () => unknown) => void ends.push(end) } as ExecutionContext;

for (const [name, start, isOurs] of servers) {
  let started: Promise<ToxiproxyServer> | undefined;
  for (const { title, isAlone, ours, run } of behaviours) {
    test(`with ${name}, its client sees: ${title}`, async (t) => {
      const server = await (isAlone ? start(t) : (started ??= start(shared)));
      const measured = await run(t, server);
      t.log(measured);
      if (ours !== undefined) t.is(measured === ours, isOurs, measured);
    });
  }

  test(`with ${name}, every call is answered as listed`, async (t) => {
    const { url } = await start(t);
    const ports = await findPorts(9);
    for (const call of toxiproxyCalls) {
      const body = JSON.stringify(withPorts(call.body, ports)) as string | undefined;
      const response = await fetch(url + call.path, {
        method: call.method,
        ...(body !== undefined && { body }),
      });
      const text = await response.text();
      const wanted = isOurs ? call : { ...call, ...call.theirs };
      const title = `${call.method} ${call.path} ${JSON.stringify(call.body)}: ${text}`;
      t.is(response.status, wanted.status, title);
      if (wanted.answer === undefined) continue;
      t.deepEqual(withoutPorts(JSON.parse(text), ports), wanted.answer, title);
    }
  });
}

test("a pair of the command line is a proxy of toxiproxy's clients, and keeps its other faults", async (t) => {
  const target = await startEcho(t);
  const faults = ['--latency', '120ms', '--corrupt', '0', '--idle', '1m'];
  const { cli, ask: askOwn } = await startControlled(t, '127.0.0.1:0', target, ...faults);
  const listen = await cli.address();
  const { body: shown } = await askOwn('GET', '/proxies');
  const [name = ''] = Object.keys(shown as object);
  t.like(shown[name], { listen, upstream: target, enabled: true, settings: { idle: '1m' } });
  const toxics = (list: unknown) =>
    (list as { name: string; stream: string }[]).map((one) => `${one.name} ${one.stream}`);
  t.deepEqual(toxics(shown[name].toxics), ['corrupt both', 'latency both']);
  const path = `/proxies/${encodeURIComponent(name)}/toxics`;
  t.is((await askOwn('POST', path, { body: { type: 'slow_close' } })).status, 200);
  t.is((await askOwn('DELETE', `${path}/corrupt`)).status, 204);
  const changed = { attributes: { latency: 150 } };
  t.like((await askOwn('PATCH', `${path}/latency`, { body: changed })).body, {
    attributes: { latency: 150 },
  });
  const socket = await connectPeer(t, listen);
  t.true((await timeOf(() => ask(socket, 'a', 1))) >= 2 * 150 * 0.95);
  t.deepEqual(toxics((await askOwn('GET', path)).body), ['latency both', 'slow_close_downstream downstream']);
});
