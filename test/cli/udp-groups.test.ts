import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ExecutionContext } from 'ava';
import { tnetPath } from '../helpers/cli.ts';
import { readText } from '../helpers/lines.ts';
import { makeNamespace, testInNamespace, type NetworkNamespace } from '../helpers/netns.ts';
import { findProgram } from '../helpers/programs.ts';

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
  // It may end before it has read what is written to it.
  child.stdin.on('error', () => undefined);
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

/** Another cable, which no route to a group leads to. */
const second = [
  ['link', 'add', 'w0', 'type', 'veth', 'peer', 'name', 'w1'],
  ['address', 'add', '10.8.8.1/24', 'dev', 'w0'],
  ['address', 'add', '10.8.8.2/24', 'dev', 'w0'],
  ['address', 'add', 'fd00:8::1/64', 'dev', 'w0', 'nodad'],
  ['link', 'set', 'w0', 'up'],
  ['link', 'set', 'w1', 'up'],
];
const cables = [...cable, ...second];

/** Runs tnet with an input to its end. */
async function runInside(
  t: ExecutionContext,
  namespace: NetworkNamespace,
  words: readonly string[],
  input = '',
) {
  const run = startInside(t, namespace, words);
  run.child.stdin.end(input);
  let [stdout, stderr] = ['', ''];
  run.child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  run.child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [code] = (await once(run.child, 'close')) as [number | null];
  return { code, stdout, stderr };
}

for (const host of ['239.1.2.3', '[ff05::1234]'])
  for (const link of ['w0', '10.8.8.1']) {
    testInNamespace()(`--interface ${link} joins ${host} there, and sends by it`, async (t) => {
      const namespace = makeNamespace(t, cables);
      const address = `udp://${host}:7001`;
      const server = startInside(t, namespace, ['listen', '-k', '--interface', link, address]);
      await server.stderr.until(/listening on/);
      // By v0, where the route leads to, nothing comes.
      const wrong = ['connect', '-u', '-q', '0', '--interface', 'v0', address];
      t.is((await runInside(t, namespace, wrong, 'by the wrong interface')).code, 0);
      const send = ['connect', '-u', '-q', '0', '--interface', link, address];
      const shown = server.stdout.until(/to all/).then(() => true);
      for (let isShown = false; !isShown;) {
        const sent = runInside(t, namespace, send, 'to all').then(() => false);
        isShown = await Promise.race([shown, sent]);
      }
      t.notRegex(server.stdout.text(), /wrong/);
    });
  }

testInNamespace()('--multicast-source takes what that address sends, and nothing else', async (t) => {
  const namespace = makeNamespace(t, cables);
  const address = 'udp://239.1.2.3:7001';
  const words = ['listen', '-k', '--interface', 'w0', '--multicast-source', '10.8.8.2', address];
  const server = startInside(t, namespace, words);
  await server.stderr.until(/listening on/);
  const sendFrom = (source: string, text: string) =>
    runInside(t, namespace, ['connect', '-u', '-q', '0', '--interface', 'w0', '-s', source, address], text);
  await sendFrom('10.8.8.1', 'from another one');
  const shown = server.stdout.until(/from the right one/).then(() => true);
  for (let isShown = false; !isShown;)
    isShown = await Promise.race([shown, sendFrom('10.8.8.2', 'from the right one').then(() => false)]);
  t.notRegex(server.stdout.text(), /another/);
});

testInNamespace()('--no-multicast-loop keeps a datagram from members on this machine', async (t) => {
  const namespace = makeNamespace(t, cable);
  const address = 'udp://239.1.2.3:7001';
  const server = startInside(t, namespace, ['listen', '-k', address]);
  await server.stderr.until(/listening on/);
  await runInside(t, namespace, ['connect', '-u', '-q', '0', '--no-multicast-loop', address], 'not here');
  await sendUntil(t, namespace, address, server.stdout.until(/to all/));
  t.notRegex(server.stdout.text(), /not here/);
});

for (const host of ['239.1.2.3', '[ff05::1234]']) {
  testInNamespace()(`what is sent to ${host} may be answered by each member, which -v names`, async (t) => {
    const namespace = makeNamespace(t, cable);
    const address = `udp://${host}:7001`;
    const there = ['--interface', 'v0'];
    const servers = [1, 2].map(() => startInside(t, namespace, ['echo', '-v', ...there, address]));
    for (const { stderr } of servers) await stderr.until(/listening on/);
    const client = startInside(t, namespace, ['connect', '-v', '--ttl', '3', ...there, address]);
    // The system takes a moment to give a new interface its addresses.
    const asking = setInterval(() => client.child.stdin.write('who is there?'), 200);
    t.teardown(() => clearInterval(asking));
    for (const { stderr } of servers) await stderr.until(/datagram of 13 bytes, answered with 13 bytes/);
    await client.stdout.until(/(who is there\?){2}/);
    await client.stderr.until(/:7001: answer of 13 bytes\n/);
    t.pass();
  });
}

testInNamespace()('a proxy joins a group by --interface, and asks one for its clients', async (t) => {
  const namespace = makeNamespace(t, cables);
  const echo = startInside(t, namespace, ['echo', '--interface', 'w0', 'udp://239.1.2.4:7002']);
  await echo.stderr.until(/listening on/);
  const words = ['proxy', '--interface', 'w0', 'udp://127.0.0.1:7001', 'udp://239.1.2.4:7002'];
  const proxy = startInside(t, namespace, words);
  await proxy.stderr.until(/listening on/);
  const ask = ['connect', '--wait-reply=20s', '-i', '20s', 'udp://127.0.0.1:7001'];
  const client = startInside(t, namespace, ask);
  client.child.stdin.write('ping');
  await client.stdout.until(/ping/);
  t.pass();
});

testInNamespace()('socat and tnet hear each other in a group', async (t) => {
  if (findProgram('socat') === undefined) {
    t.log('skipped: socat is not installed');
    t.pass();
    return;
  }
  const namespace = makeNamespace(t, cables);
  const [command = '', ...rest] = namespace.inside;
  const address = 'udp://239.1.2.3:7001';
  const server = startInside(t, namespace, ['listen', '-k', '--interface', 'w0', address]);
  await server.stderr.until(/listening on/);
  const shown = server.stdout.until(/from socat/).then(() => true);
  for (let isShown = false; !isShown;) {
    const sender = spawn(
      command,
      [...rest, 'socat', '-u', '-', 'UDP4-DATAGRAM:239.1.2.3:7001,ip-multicast-if=10.8.8.1'],
      {
        stdio: ['pipe', 'ignore', 'inherit'],
      },
    );
    sender.stdin.on('error', () => undefined).end('from socat');
    isShown = await Promise.race([shown, once(sender, 'exit').then(() => false)]);
  }
  const receive = ['-u', 'UDP4-RECVFROM:7003,ip-add-membership=239.1.2.5:10.8.8.1', '-'];
  const receiver = spawn(command, [...rest, 'socat', ...receive], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => receiver.kill('SIGKILL'));
  const heard = readText(receiver.stdout)
    .until(/from tnet/)
    .then(() => true);
  const send = ['connect', '-q', '0', '--interface', 'w0', 'udp://239.1.2.5:7003'];
  for (let isHeard = false; !isHeard;)
    isHeard = await Promise.race([heard, runInside(t, namespace, send, 'from tnet').then(() => false)]);
  t.pass();
});

testInNamespace()('a broadcast address is refused in one line without --allow-broadcast', async (t) => {
  const namespace = makeNamespace(t, cable);
  for (const host of ['255.255.255.255', '10.9.9.255']) {
    const refused = await runInside(t, namespace, ['connect', '-u', host, '7001'], 'x');
    t.deepEqual(
      [refused.code, refused.stderr],
      [
        2,
        `tnet connect: ${host}: this is a broadcast address: to send to it, give --allow-broadcast (TNET_E_USAGE)\n`,
      ],
    );
  }
});

for (const [host, flags] of [
  ['10.9.9.255', []],
  ['255.255.255.255', ['--interface', 'v0']],
  ['255.255.255.255', ['-s', '10.9.9.1']],
] as const) {
  testInNamespace()(
    `--allow-broadcast ${flags.join(' ')} sends to ${host}, and takes the answer`,
    async (t) => {
      const namespace = makeNamespace(t, cable);
      const server = startInside(t, namespace, ['echo', 'udp://0.0.0.0:7001']);
      await server.stderr.until(/listening on/);
      const ask = ['connect', '-u', '--wait-reply=20s', '--allow-broadcast', ...flags, host, '7001'];
      const client = startInside(t, namespace, ask);
      client.child.stdin.write('anyone?');
      await client.stdout.until(/anyone\?/);
      t.pass();
    },
  );
}

for (const [words, code, line] of [
  [
    ['listen', '--interface', 'nosuch0', 'udp://239.1.2.3:7001'],
    2,
    /no interface nosuch0 is up; there are lo, v0.* \(TNET_E_ADDRESS\)/,
  ],
  [
    ['listen', '--interface', 'v0', 'udp://10.9.9.1:7001'],
    2,
    /--interface goes with a multicast group as the address, such as udp:\/\/239\.1\.2\.3:9000 \(TNET_E_USAGE\)/,
  ],
  [
    ['echo', '--multicast-source', '10.9.9.1', '-u', '7001'],
    2,
    /--multicast-source goes with a multicast group/,
  ],
  [
    ['listen', '--multicast-source', 'fd00::1', 'udp://239.1.2.3:7001'],
    2,
    /--multicast-source fd00::1 is not of the group's family/,
  ],
  [
    ['connect', '-u', '--interface', 'v0', '10.9.9.1', '7001'],
    2,
    /--interface goes with a multicast group or --allow-broadcast/,
  ],
  [
    ['connect', '--interface', 'v0', '10.9.9.1', '7001'],
    2,
    /--interface does not go with this address: multicast and broadcast are for UDP/,
  ],
  [
    ['proxy', '--interface', 'v0', 'udp://127.0.0.1:7001', 'udp://127.0.0.1:7002'],
    2,
    /--interface: makes sense only with a multicast group or --allow-broadcast/,
  ],
  [
    ['proxy', '--multicast-source', '10.9.9.1', 'udp://127.0.0.1:7001', 'udp://239.1.2.3:7002'],
    2,
    /--multicast-source: makes sense only where LISTEN is a multicast group/,
  ],
] as const) {
  testInNamespace()(`tnet ${words.join(' ')} is refused in one line`, async (t) => {
    const namespace = makeNamespace(t, cable);
    const { code: status, stderr } = await runInside(t, namespace, words, '');
    t.is(status, code, stderr);
    t.regex(stderr, line);
    t.regex(stderr, /^tnet [^\n]*\n$/);
  });
}
