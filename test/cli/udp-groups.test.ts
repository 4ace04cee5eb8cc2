import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ExecutionContext } from 'ava';
import { tnetPath } from '../helpers/cli.ts';
import { readText } from '../helpers/lines.ts';
import { makeNamespace, testInNamespace, type NetworkNamespace } from '../helpers/netns.ts';

/** A cable with both ends here: what is sent to a group comes back in to the group's members. */
const cable = [
  ['link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1'],
  ['address', 'add', '10.9.9.1/24', 'dev', 'v0'],
  ['address', 'add', 'fd00:9::1/64', 'dev', 'v0', 'nodad'],
  ['link', 'set', 'v0', 'up'],
  ['link', 'set', 'v1', 'up'],
  ['route', 'add', '239.0.0.0/8', 'dev', 'v0'],
];

function startInside(t: ExecutionContext, { inside }: NetworkNamespace, words: readonly string[]) {
  const [command = '', ...rest] = inside;
  const child = spawn(command, [...rest, process.execPath, tnetPath, ...words], { stdio: 'pipe' });
  t.teardown(() => child.kill('SIGKILL'));
  return { child, stdout: readText(child.stdout), stderr: readText(child.stderr) };
}

/** Sends a datagram to the group again and again, until the server has shown that it came. */
async function sendUntil(
  t: ExecutionContext,
  namespace: NetworkNamespace,
  address: string,
  shown: Promise<unknown>,
): Promise<void> {
  const done = shown.then(() => true);
  // The system takes a moment to give a new interface its addresses.
  for (let isShown = false; !isShown;) {
    const sender = startInside(t, namespace, ['connect', '-u', '-q', '0', address]);
    sender.child.stdin.end('to all');
    isShown = await Promise.race([done, once(sender.child, 'exit').then(() => false)]);
  }
}

for (const host of ['239.1.2.3', '[ff05::1234]', '[ff02::1234%v0]']) {
  testInNamespace()(`listen -u on ${host} gets what is sent to the group`, async (t) => {
    const namespace = makeNamespace(t, cable);
    const server = startInside(t, namespace, ['listen', '-u', `udp://${host}:7001`]);
    await server.stderr.until(/listening on/);
    await sendUntil(t, namespace, `udp://${host}:7001`, server.stdout.until(/to all/));
    t.pass();
  });

  testInNamespace()(`echo -u on ${host} answers what is sent to the group`, async (t) => {
    const namespace = makeNamespace(t, cable);
    const server = startInside(t, namespace, ['echo', '-v', `udp://${host}:7001`]);
    await server.stderr.until(/listening on/);
    const shown = server.stderr.until(/datagram of 6 bytes, answered with 6 bytes/);
    await sendUntil(t, namespace, `udp://${host}:7001`, shown);
    t.pass();
  });

  testInNamespace()(`proxy hands on what is sent to the group ${host}`, async (t) => {
    const namespace = makeNamespace(t, cable);
    const target = startInside(t, namespace, ['listen', '-k', '-u', 'udp://127.0.0.1:7002']);
    await target.stderr.until(/listening on/);
    const proxy = startInside(t, namespace, ['proxy', `udp://${host}:7001`, 'udp://127.0.0.1:7002']);
    await proxy.stderr.until(/listening on/);
    await sendUntil(t, namespace, `udp://${host}:7001`, target.stdout.until(/to all/));
    t.pass();
  });
}

for (const host of ['239.1.2.3', '[ff05::1234]']) {
  testInNamespace()(`two of listen -u on ${host} both get what is sent to the group`, async (t) => {
    const namespace = makeNamespace(t, cable);
    const servers = [1, 2].map(() => startInside(t, namespace, ['listen', '-ku', `udp://${host}:7001`]));
    for (const { stderr } of servers) await stderr.until(/listening on/);
    const shown = Promise.all(servers.map(({ stdout }) => stdout.until(/to all/)));
    await sendUntil(t, namespace, `udp://${host}:7001`, shown);
    t.pass();
  });
}

testInNamespace()('an address that is no group has one UDP server', async (t) => {
  const namespace = makeNamespace(t, cable);
  const first = startInside(t, namespace, ['listen', '-ku', 'udp://10.9.9.1:7001']);
  await first.stderr.until(/listening on/);
  const second = startInside(t, namespace, ['listen', '-ku', 'udp://10.9.9.1:7001']);
  const exit = once(second.child, 'exit');
  await second.stderr.until(/EADDRINUSE/);
  t.deepEqual(await exit, [2, null]);
});

testInNamespace()('a group that no interface leads to is one line and status 1', async (t) => {
  const namespace = makeNamespace(t, []);
  const server = startInside(t, namespace, ['listen', '-u', 'udp://239.1.2.3:7001']);
  const exit = once(server.child, 'exit');
  await server.stderr.until(/^tnet listen: udp:\/\/239\.1\.2\.3:7001: no such device \(ENODEV\)\n$/);
  t.deepEqual(await exit, [1, null]);
});
