import { once } from 'node:events';
import test from 'ava';
import { loadNativeAddon } from '../../../src/native/addon.ts';
import { collectUntilClose } from '../../helpers/bytes.ts';
import { runCli } from '../../helpers/cli.ts';
import { readText } from '../../helpers/lines.ts';
import { connectPeer } from '../../helpers/peers.ts';
import { testWith } from '../../helpers/programs.ts';
import { startProxy } from '../../helpers/proxy.ts';
import { hex } from '../../helpers/protocol/hex.ts';
import { openScreen, tnetCommand } from '../../helpers/tmux.ts';

const hasAddon = loadNativeAddon() !== undefined;
const addonTest = hasAddon ? test.serial : test.serial.skip;
const peerTest = hasAddon ? testWith('telnet', 'tmux') : test.serial.skip;
const offers = hex('fffb01 fffb03 fffd1f');
/** A shell that shows what it runs, and no prompt. */
const shell = 'pty:env PS1= ENV= sh';
/** The size arrives on its own time. */
const waitForSize = (size: string) =>
  `until test "$(stty size)" = "${size}"; do sleep 0.1; done; echo it is $(stty size)`;

addonTest("the size of a client's window is that of the terminal, also when it changes", async (t) => {
  const { address } = await startProxy(t, shell, '--telnet-in');
  const client = await connectPeer(t, address);
  const shown = readText(client);
  await shown.until(/^\xff\xfb\x01\xff\xfb\x03\xff\xfd\x1f/);
  client.write(hex('fffd01 fffd03 fffb1f fffa1f 0064 0028 fff0'));
  client.write('stty size\r\0');
  await shown.until(/^40 100\r\n/m);
  client.write(hex('fffa1f 00ffff 0032 fff0'));
  client.write('stty size\r\0');
  await shown.until(/^50 255\r\n/m);
  client.write('exit\r\0');
  await once(client, 'end');
  t.pass();
});

addonTest('a client that knows no telnet is served, and its half-close is carried', async (t) => {
  const program = 'pty:sh -c "stty -echo; echo ready; cat; echo end"';
  const { address } = await startProxy(t, program, '--telnet-in');
  const client = await connectPeer(t, address);
  const shown = readText(client);
  await shown.until(/ready\r\n/);
  client.end('a line\n');
  await once(client, 'end');
  t.is(shown.text(), `${offers.toString('latin1')}ready\r\na line\r\nend\r\n`);
});

addonTest('255 goes both ways, and what is between is no command', async (t) => {
  const { address } = await startProxy(t, 'pty:sh -c "stty raw -echo; echo ready; head -c 3"', '--telnet-in');
  const client = await connectPeer(t, address);
  await once(client, 'readable');
  const shown = readText(client);
  await shown.until(/ready\n$/);
  client.write(hex('ffff f4 ffff'));
  const rest = collectUntilClose(client);
  t.deepEqual((await rest).bytes, hex('ffff f4 ffff'));
});

addonTest("a client's reset hangs the terminal up", async (t) => {
  const program = 'pty:sh -c "echo ready; exec sleep 1000"';
  const { cli, address } = await startProxy(t, program, '--telnet-in', '-v');
  const client = await connectPeer(t, address);
  await readText(client).until(/ready/);
  client.resetAndDestroy();
  await cli.said(/the program of connection 1 ended by SIGHUP/);
  t.pass();
});

peerTest("telnet's window is that of the terminal, also when it is resized", async (t) => {
  const { address } = await startProxy(t, shell, '--telnet-in');
  const screen = await openScreen(t, { columns: 90, rows: 30 });
  screen.run(`telnet ${address.replace(':', ' ')}`);
  await screen.shows(/Escape character/);
  screen.press(waitForSize('30 90'), 'Enter');
  await screen.shows(/^it is 30 90$/m);
  screen.resize(70, 20);
  screen.press(waitForSize('20 70'), 'Enter');
  await screen.shows(/^it is 20 70$/m);
  screen.press('exit', 'Enter');
  await screen.shows(/Connection closed by foreign host/);
  t.pass();
});

peerTest('tnet connect --telnet is a client of it', async (t) => {
  const { address } = await startProxy(t, shell, '--telnet-in');
  const screen = await openScreen(t, { columns: 90, rows: 30 });
  screen.run(`${tnetCommand} connect --telnet ${address}`);
  await screen.shows(/escape key/);
  screen.press(waitForSize('30 90'), 'Enter');
  await screen.shows(/^it is 30 90$/m);
  t.pass();
});

for (const [target, flags, message] of [
  ['127.0.0.1:1', [], /--telnet-in: makes sense only with a target of the kind pty/],
  ['exec:cat', [], /--telnet-in: makes sense only with a target of the kind pty/],
] as const) {
  test(`--telnet-in is refused with ${target}`, async (t) => {
    const run = await runCli(t, ['proxy', '0', target, '--telnet-in', ...flags]);
    t.is(run.code, 2);
    t.regex(run.stderr, message);
  });
}
