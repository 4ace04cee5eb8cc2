import { spawn } from 'node:child_process';
import type { ExecutionContext } from 'ava';
import { startCli } from '../../helpers/cli.ts';
import { readText } from '../../helpers/lines.ts';
import { testWith } from '../../helpers/programs.ts';

const clients: [name: string, words: string[]][] = [
  ['ncat', []],
  ['nc.openbsd', []],
  ['socat', ['-t9', '-']],
];

function startClient(t: ExecutionContext, name: string, words: readonly string[], port: number) {
  const target = name === 'socat' ? [`TCP:127.0.0.1:${port}`] : ['127.0.0.1', String(port)];
  const child = spawn(name, [...words, ...target], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  return { child, text: readText(child.stdout) };
}

for (const [name, words] of clients) {
  const withPeer = testWith(name);

  withPeer(`${name} clients of --broker hear each other`, async (t) => {
    const server = startCli(t, ['listen', '--broker', '-v', '127.0.0.1:0']);
    const port = await server.port();
    const [first, second] = [startClient(t, name, words, port), startClient(t, name, words, port)];
    await server.said(/(connection from[^]*){2}/);
    first.child.stdin.write('from first\n');
    await second.text.until(/^from first\n$/);
    second.child.stdin.write('from second\n');
    await first.text.until(/^from second\n$/);
    t.pass();
  });

  withPeer(`${name} clients of --chat hear each other, by name`, async (t) => {
    const server = startCli(t, ['listen', '--chat', '-v', '127.0.0.1:0']);
    const port = await server.port();
    const first = startClient(t, name, words, port);
    await server.said(/connection from/);
    const second = startClient(t, name, words, port);
    await server.said(/(connection from[^]*){2}/);
    second.child.stdin.write('hello\n');
    await first.text.until(/<user 2> hello\n/);
    second.child.kill('SIGKILL');
    await first.text.until(/<announce> user 2 left\n/);
    t.notRegex(second.text.text(), /hello/);
  });
}
