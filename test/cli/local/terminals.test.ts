import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { loadNativeAddon } from '../../../src/native/addon.ts';
import { collect, payload, sameBytes } from '../../helpers/bytes.ts';
import { runCli, startCli } from '../../helpers/cli.ts';
import { readText } from '../../helpers/lines.ts';
import { connectPeer, startPeerServer } from '../../helpers/peers.ts';
import { tempDir } from '../../helpers/temp.ts';
import { openScreen, showingStatus, tnetCommand } from '../../helpers/tmux.ts';

const addonTest = loadNativeAddon() ? test.serial : test.serial.skip;

test.serial('without the addon, a terminal and a serial line are one line and status 2', async (t) => {
  for (const address of ['pty:cat', 'serial:/dev/tty']) {
    const { code, stderr } = await runCli(t, ['connect', address], '', { env: { TNET_NATIVE: '0' } });
    t.is(code, 2);
    t.regex(
      stderr,
      /: a (?:terminal|serial line) needs the native addon: TNET_NATIVE=0 turns it off \(TNET_E_UNSUPPORTED\)\n$/,
    );
  }
});

addonTest('a program on a terminal has it as its controlling terminal, with a size', async (t) => {
  const { code, stdout } = await runCli(t, [
    'connect',
    'pty:sh -c "test -t 0 && test -t 1 && test -t 2 && stty size && echo to the terminal > /dev/tty; exit 7"',
  ]);
  t.is(stdout.toString(), '24 80\r\nto the terminal\r\n');
  t.is(code, 7);
});

/** Runs a program on a terminal, and gives it input once it has printed what it begins with. */
async function answerProgram(
  t: ExecutionContext,
  program: string,
  { begin, input }: { readonly begin: RegExp; readonly input: string },
) {
  const cli = startCli(t, ['connect', program]);
  const printed = readText(cli.stdout);
  await printed.until(begin);
  const output = collect(cli.stdout);
  cli.stdin.end(input);
  return { stdout: String(await output), code: (await cli.exit).code };
}

addonTest('the end of the input is typed, and the program still answers', async (t) => {
  const { code, stdout } = await answerProgram(t, 'pty:sh -c "stty -echo; echo ready; cat; echo end"', {
    begin: /ready\r\n/,
    input: 'a line\n',
  });
  t.is(stdout, 'a line\r\nend\r\n');
  t.is(code, 0);
});

addonTest('the end of the input comes after a line that is not complete, and to every program', async (t) => {
  const program = 'pty:sh -c "stty -echo; echo ready; cat; cat; echo end"';
  const { code, stdout } = await answerProgram(t, program, { begin: /ready\r\n/, input: 'not complete' });
  t.is(stdout, 'not completeend\r\n');
  t.is(code, 0);
});

addonTest('an interactive shell runs the lines of a pipe and ends with its status', async (t) => {
  const input = 'echo $((40 + 2))\nexit 11\n';
  const { code, stdout } = await answerProgram(t, 'pty:sh -i', { begin: /[#$] $/, input });
  t.regex(stdout, /^42\r$/m);
  t.is(code, 11);
});

addonTest('a raw terminal loses no byte in either direction', async (t) => {
  const bytes = payload(300_000);
  const cli = startCli(t, [
    'connect',
    `pty:sh -c "stty raw -echo; echo ready; head -c ${bytes.length}; exit 3"`,
  ]);
  const output = collect(cli.stdout);
  await once(cli.stdout, 'data');
  cli.stdin.end(bytes);
  sameBytes(t, await output, Buffer.concat([Buffer.from('ready\n'), bytes]));
  t.is((await cli.exit).code, 3);
});

addonTest('--send-only is over when a program has read everything that it is slow to read', async (t) => {
  const folder = tempDir(t);
  const [gate, found] = [join(folder, 'gate'), join(folder, 'found')];
  execFileSync('mkfifo', [gate]);
  const bytes = Buffer.from(`${'x'.repeat(999)}\n`.repeat(150));
  const program = `pty:sh -c "read word < ${gate}; wc -c > ${found}; exit 5"`;
  const cli = startCli(t, ['connect', '-v', '--send-only', program]);
  cli.stdin.end(bytes);
  await cli.said(/150000 bytes out in/);
  await writeFile(gate, 'go\n');
  t.is((await cli.exit).code, 5);
  t.is(Number(await readFile(found)), bytes.length);
});

addonTest('SIGTERM hangs the terminal up', async (t) => {
  const cli = startCli(t, ['connect', '-v', 'pty:sh -c "echo ready; sleep 94"']);
  await once(cli.stdout, 'readable');
  cli.child.kill('SIGTERM');
  t.is((await cli.exit).signal, 'SIGTERM');
  t.regex(cli.stderr(), /the program of connection 1 ended by SIGHUP/);
});

for (const command of ['listen', 'echo'] as const) {
  addonTest(`${command} serves a program on a terminal, and ends with its status`, async (t) => {
    const { code } = await runCli(t, [command, 'pty:sh -c "stty raw -echo; echo word; exit 8"'], '');
    t.is(code, 8);
  });
}

addonTest('each client of a proxy has a shell on a terminal of its own, which knows who it is', async (t) => {
  const proxy = startCli(t, ['proxy', '127.0.0.1:0', 'pty:sh -i']);
  const address = await proxy.address();
  const names = new Set<string>();
  for (let at = 0; at < 2; at++) {
    const client = await connectPeer(t, address);
    const { localPort } = client;
    const screen = readText(client);
    client.write('tty; echo "port <$TNET_REMOTE_PORT>"\n');
    // The prompt may come after the echo of what is typed, and then stands before the answer.
    names.add((await screen.until(/\/dev\/pts\/\d+(?=\r$)/m))[0]);
    await screen.until(new RegExp(`port <${localPort!}>\r$`, 'm'));
    if (at === 1) client.end('exit\n');
  }
  t.is(names.size, 2);
});

addonTest('a client that breaks off hangs up the terminal of its program', async (t) => {
  const proxy = startCli(t, ['proxy', '-v', '127.0.0.1:0', 'pty:sh -c "echo ready; sleep 93"']);
  const client = await connectPeer(t, await proxy.address());
  await once(client, 'readable');
  client.resetAndDestroy();
  await proxy.said(/the program of connection 1 ended by SIGHUP/);
  t.pass();
});

addonTest('a program on a terminal can be the client of a proxy', async (t) => {
  const server = await startPeerServer(t, 'unix', (socket) => void socket.resume().end('from the server\n'));
  const { path } = server.target as { path: string };
  const { code, stdout } = await runCli(t, [
    'proxy',
    'pty:sh -c "read line; test \\"$line\\" = \\"from the server\\""',
    path,
  ]);
  t.is(stdout.length, 0);
  t.is(code, 0);
});

addonTest("a user's own terminal gives a program its keys and its size", async (t) => {
  const screen = await openScreen(t, { columns: 90, rows: 28 });
  screen.run(showingStatus(`${tnetCommand} connect pty:'bash --norc'`));
  await screen.shows(/escape key/);
  screen.run('PS1="inner "">"; stty size');
  await screen.shows(/^28 90$/m);
  await screen.shows(/^inner >/m);
  screen.resize(70, 20);
  screen.run('stty size');
  await screen.shows(/^20 70$/m);
  screen.run('exit 5');
  await screen.shows(/status 5!/);
  t.pass();
});
