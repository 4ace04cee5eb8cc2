import type net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { readPair } from '../../../../commands/proxy/pair.ts';
import { errorCode } from '../../../../src/errors.ts';
import type { ProxyHost } from '../../../../src/handlers/relay/host.ts';
import { prepareRelay } from '../../../../src/handlers/relay/prepare.ts';
import type { RelayService } from '../../../../src/handlers/relay/service.ts';
import { listTargets, setTargetEnabled } from '../../../../src/handlers/relay/targets/states.ts';
import type { OpenUpstream } from '../../../../src/handlers/relay/targets/upstream.ts';
import { Ledger } from '../../../../src/serve/ledger.ts';
import { closedPort } from '../../../helpers/cli.ts';
import { startPeerServer } from '../../../helpers/peers.ts';

interface Relay {
  readonly service: RelayService;
  readonly failures: string[];
  readonly open: () => Promise<OpenUpstream | undefined>;
}

async function prepare(
  t: ExecutionContext,
  targets: readonly string[],
  values: Record<string, unknown> = {},
): Promise<Relay> {
  const failures: string[] = [];
  const host: ProxyHost = {
    ledger: new Ledger(),
    emit: () => undefined,
    fail: (subject, error) => void failures.push(`${subject} ${errorCode(error) ?? ''}`),
    signal: new AbortController().signal,
  };
  const service = await prepareRelay(
    readPair({ listen: '0', targets, values }, { name: (part) => part }),
    host,
  );
  t.teardown(() => service.close());
  return {
    service,
    failures,
    async open() {
      const opened = await service.upstream?.open({ id: 1, clientHost: '127.0.0.1', listener: '' });
      t.teardown(() => opened?.socket.destroy());
      return opened;
    },
  };
}

async function startTarget(t: ExecutionContext): Promise<string> {
  const { words } = await startPeerServer(t, 'tcp', (socket: net.Socket) => socket.resume());
  return words.join(':');
}

const unknown = { answered: true, refused: false };

test('a single target counts its connections, and is given no client while it is disabled', async (t) => {
  const target = await startTarget(t);
  const { service, open, failures } = await prepare(t, [target]);
  const state = { address: target, isEnabled: true, isUp: undefined, connections: 0, settings: {} };
  t.deepEqual(listTargets(service), [state]);
  const [first, second] = [await open(), await open()];
  t.is(listTargets(service)[0]!.connections, 2);
  t.true(setTargetEnabled(service, target, false));
  t.is(await open(), undefined);
  t.deepEqual(failures, [`${target} TNET_E_DISABLED`]);
  t.deepEqual(listTargets(service), [{ ...state, isEnabled: false, connections: 2 }]);
  first?.release?.(unknown);
  second?.release?.(unknown);
  t.true(setTargetEnabled(service, target, true));
  t.truthy(await open());
  t.is(listTargets(service)[0]!.connections, 1);
  t.false(setTargetEnabled(service, '127.0.0.1:1', true));
});

test('clients are given to the targets that are enabled, and to none as a last resort that is not', async (t) => {
  const [one, two] = [await startTarget(t), await startTarget(t)];
  const { service, open, failures } = await prepare(t, [one, two], { balance: 'first' });
  t.is((await open())?.target, one);
  setTargetEnabled(service, one, false);
  t.is((await open())?.target, two);
  t.deepEqual(
    listTargets(service).map(({ isEnabled, connections }) => [isEnabled, connections]),
    [
      [false, 1],
      [true, 1],
    ],
  );
  setTargetEnabled(service, two, false);
  t.is(await open(), undefined);
  t.deepEqual(failures, [`${one}, ${two} TNET_E_DISABLED`]);
});

test('a target as it was written is all the addresses of its name', async (t) => {
  const target = await startTarget(t);
  const [, port = ''] = target.split(':');
  const { service, open } = await prepare(t, [`localhost:${port}`], { balance: 'first', waitConnect: '5s' });
  await open();
  t.true(listTargets(service).some(({ address }) => address === target));
  t.true(setTargetEnabled(service, `localhost:${port}`, false));
  t.true(listTargets(service).every(({ isEnabled }) => !isEnabled));
  t.true(setTargetEnabled(service, target, true));
  t.deepEqual(
    listTargets(service).flatMap(({ address, isEnabled }) => (isEnabled ? [address] : [])),
    [target],
  );
  t.true(setTargetEnabled(service, `localhost:${port}`, true));
  t.true(listTargets(service).every(({ isEnabled }) => isEnabled));
});

test('a client that waits for room is given a target that is enabled meanwhile', async (t) => {
  const [one, two] = [await startTarget(t), await startTarget(t)];
  const { service, open } = await prepare(t, [`${one},max=1`, two], { balance: 'first' });
  setTargetEnabled(service, two, false);
  t.is((await open())?.target, one);
  const waiting = open();
  setTargetEnabled(service, two, true);
  t.is((await waiting)?.target, two);
  t.deepEqual(
    listTargets(service).map(({ connections, settings }) => [connections, settings]),
    [
      [1, { max: 1 }],
      [1, {}],
    ],
  );
});

test('whether a target is up is what its checks say, or that it refused clients', async (t) => {
  const down = `127.0.0.1:${await closedPort()}`;
  const up = await startTarget(t);
  const first = { balance: 'first', healthFall: 1 };
  const unchecked = await prepare(t, [down, up], first);
  t.deepEqual(
    listTargets(unchecked.service).map(({ isUp }) => isUp),
    [undefined, undefined],
  );
  t.is((await unchecked.open())?.target, up);
  t.deepEqual(
    listTargets(unchecked.service).map(({ isUp }) => isUp),
    [false, undefined],
  );
  const { service } = await prepare(t, [down, up], { ...first, health: '10ms' });
  while (listTargets(service)[0]?.isUp !== false) await new Promise(setImmediate);
  t.is(listTargets(service)[1]!.isUp, true);
});

test('a target that several routes lead to is one target, with the connections of all', async (t) => {
  const target = await startTarget(t);
  const { service, open } = await prepare(t, [target], { route: [`proto:ssh=${target}`] });
  await open();
  const [route] = service.routes!.values();
  const opened = await route!.open({ id: 2, clientHost: '127.0.0.1', listener: '' });
  t.teardown(() => opened?.socket.destroy());
  t.deepEqual(listTargets(service), [
    { address: target, isEnabled: true, isUp: undefined, connections: 2, settings: {} },
  ]);
  t.true(setTargetEnabled(service, target, false));
  t.is(await open(), undefined);
  t.is(await route!.open({ id: 3, clientHost: '127.0.0.1', listener: '' }), undefined);
});
