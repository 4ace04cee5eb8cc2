import dgram from 'node:dgram';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { closedPort } from '../cli.ts';
import { bindDatagramPeer } from '../messages.ts';
import { untilBound } from '../until-bound.ts';
import { commandDir, input, startCommand } from './command.ts';
import type { Scene } from './scene.ts';

/** A client meets a UDP server at `{host} {port}` that answers each datagram. Its input ends, or is only typed. */
const answersDatagrams = (stdin: 'given' | 'typed'): Scene => ({
  proof: ['got 12 bytes', 'hello\nworld\n'],
  async run(t, text) {
    const got: Buffer[] = [];
    const port = await closedPort();
    const server = dgram.createSocket('udp4');
    t.teardown(() => server.close());
    server.on('message', (bytes, from) => {
      got.push(bytes);
      server.send(`got ${bytes.length} bytes\n`, from.port, from.address);
    });
    server.bind(port, '127.0.0.1');
    await once(server, 'listening');
    const command = startCommand(t, text, { host: '127.0.0.1', port });
    command.child.stdin!.write(input);
    if (stdin === 'given') command.child.stdin!.end();
    await command.says('got 12 bytes\n');
    command.end();
    const outcome = await command.outcome('');
    return { ...outcome, wire: Buffer.concat(got) };
  },
});

/** A client meets a server on the Unix datagram socket `d.sock` that answers the first datagram. */
const answersUnixDatagrams: Scene = {
  needsAddon: true,
  proof: ['got 12 bytes', 'hello\nworld\n'],
  async run(t, text) {
    const dir = commandDir(t);
    const server = bindDatagramPeer(t, join(dir, 'd.sock'));
    const command = startCommand(t, text, { dir }, dir);
    command.child.stdin!.write(input);
    const [first] = await server.until(1);
    // A path may be named as seen from the command's own folder; an abstract name begins with a NUL.
    const name = first!.name!;
    const sender = name[0] === 0 ? name : resolve(dir, name.toString());
    await server.send(Buffer.from(`got ${first!.bytes.length} bytes\n`), sender);
    await command.says('got 12 bytes\n');
    command.end();
    const outcome = await command.outcome('');
    return { ...outcome, wire: Buffer.concat(server.heard.map(({ bytes }) => bytes)) };
  },
};

const answersByItself = /-e |-c |EXEC|PIPE|echo/;

/** A datagram comes to the command at the Unix socket `d.sock`, which answers it or shows it; then the command is ended. */
const unixDatagramCaller: Scene = {
  needsAddon: true,
  proof: ['from the caller'],
  async run(t, text) {
    const dir = commandDir(t);
    const command = startCommand(t, text, {}, dir);
    await untilBound({ path: join(dir, 'd.sock') });
    const client = bindDatagramPeer(t, join(dir, 'caller.sock'));
    await client.send(Buffer.from('from the caller\n'), join(dir, 'd.sock'));
    if (answersByItself.test(text)) await client.until(1);
    else await command.says('from the caller\n');
    command.end();
    return command.outcome(Buffer.concat(client.heard.map(({ bytes }) => bytes)));
  },
};

/** A datagram comes to the command at `{host} {port}`, which answers; then the command is ended. */
const datagramCaller: Scene = {
  proof: ['from the caller'],
  async run(t, text) {
    const port = await closedPort();
    const command = startCommand(t, text, { host: '127.0.0.1', port });
    await untilBound({ udp: port });
    const client = dgram.createSocket('udp4');
    t.teardown(() => client.close());
    client.connect(port, '127.0.0.1');
    await once(client, 'connect');
    client.send('from the caller\n');
    const wire: Buffer[] = [];
    if (answersByItself.test(text)) wire.push(((await once(client, 'message')) as [Buffer])[0]);
    else await command.says('from the caller\n');
    command.end();
    return command.outcome(Buffer.concat(wire));
  },
};

export const datagramScenes: Readonly<Record<string, Scene>> = {
  'answers datagrams': answersDatagrams('given'),
  'answers datagrams, typed': answersDatagrams('typed'),
  'datagram caller': datagramCaller,
  'answers Unix datagrams': answersUnixDatagrams,
  'Unix datagram caller': unixDatagramCaller,
};
