import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, createWriteStream, existsSync, openSync, watch } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { ReadStream } from 'node:tty';
import test, { type ExecutionContext } from 'ava';
import { dial } from '../../../src/dial/dial.ts';
import { loadNativeAddon } from '../../../src/native/addon.ts';
import { payload, sameBytes } from '../../helpers/bytes.ts';
import { runCli, startCli } from '../../helpers/cli.ts';
import { readText } from '../../helpers/lines.ts';
import { connectPeer, startPeerServer } from '../../helpers/peers.ts';
import { tempDir } from '../../helpers/temp.ts';

const hasSocat = spawnSync('socat', ['-V']).status === 0;
const lineTest = loadNativeAddon() && hasSocat ? test.serial : test.serial.skip;

/** Two pseudo-terminals joined by socat: what one gets the other gives, as a cable between two serial lines does. */
async function joinLines(t: ExecutionContext) {
  const folder = tempDir(t);
  const [near, far] = [join(folder, 'near'), join(folder, 'far')];
  const options = 'raw,echo=0,b9600';
  const cable = spawn('socat', [`pty,link=${near},${options}`, `pty,link=${far},${options}`], {
    stdio: 'inherit',
  });
  t.teardown(() => cable.kill());
  const watcher = watch(folder);
  while (!existsSync(near) || !existsSync(far)) await once(watcher, 'change');
  watcher.close();
  const fd = openSync(far, constants.O_RDWR | constants.O_NOCTTY);
  const device = new ReadStream(fd);
  device.on('error', () => undefined);
  const write = createWriteStream('', { fd: openSync(far, constants.O_WRONLY | constants.O_NOCTTY) });
  // With the cable gone, no read or close of a terminal waits.
  t.teardown(async () => {
    if (cable.exitCode === null && cable.signalCode === null) {
      cable.kill();
      await once(cable, 'exit');
    }
    device.destroy();
    write.destroy();
  });
  return { near, cable, device, write };
}

function settingsOf(path: string): string {
  return execFileSync('stty', ['-F', path, '-g'], { encoding: 'latin1' });
}

lineTest('connect talks over a serial line, which it sets and gives back as it was', async (t) => {
  const { near, device, write } = await joinLines(t);
  const before = settingsOf(near);
  const cli = startCli(t, ['connect', '-v', `serial:${near}@57600,8N1,none`]);
  await cli.said(/connected to serial:/);
  t.regex(execFileSync('stty', ['-F', near, '-a'], { encoding: 'latin1' }), /^speed 57600 baud/);
  const heard = readText(device);
  const printed = readText(cli.stdout);
  cli.stdin.write('AT\r');
  await heard.until(/AT\r/);
  write.write('OK\r\n');
  await printed.until(/OK\r\n/);
  cli.child.kill('SIGINT');
  t.is((await cli.exit).signal, 'SIGINT');
  t.is(settingsOf(near), before);
});

lineTest('a speed without a name of its own is set', async (t) => {
  const { near } = await joinLines(t);
  const cli = startCli(t, ['connect', '-v', `serial:${near}@31250`]);
  await cli.said(/connected to serial:/);
  const addon = loadNativeAddon()!;
  const fd = openSync(near, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  t.throws(() => addon.claimSerial(fd, Int32Array.of(-1, -1, -1, -1, -1), new Uint8Array(64)), {
    message: /busy/,
  });
  closeSync(fd);
  cli.child.kill('SIGTERM');
  await cli.exit;
});

/** What the device gets, up to `length` bytes, or in 30 s what there is of them. */
function receive(device: Readable, length: number): Promise<Buffer> {
  return new Promise<Buffer>((resolve) => {
    const chunks: Buffer[] = [];
    let missing = length;
    const give = () => {
      clearTimeout(timer);
      resolve(Buffer.concat(chunks));
    };
    const timer = setTimeout(give, 30_000);
    device.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      missing -= chunk.length;
      if (missing <= 0) give();
    });
  });
}

lineTest('--send-only ends when the line has sent everything', async (t) => {
  const { near, device } = await joinLines(t);
  const bytes = payload(60_000);
  const received = receive(device, bytes.length);
  const { code } = await runCli(t, ['connect', '--send-only', `serial:${near}@115200`], bytes);
  t.is(code, 0);
  sameBytes(t, await received, bytes);
});

lineTest('--send-only waits for a device that is slow to read, and has answered before', async (t) => {
  const { near, device, write } = await joinLines(t);
  const bytes = payload(200_000);
  const cli = startCli(t, ['connect', '-v', '--send-only', `serial:${near}@115200`]);
  await cli.said(/connected to serial:/);
  write.write('ready');
  cli.stdin.end(bytes);
  await cli.said(/200000 bytes out in/);
  sameBytes(t, await receive(device, bytes.length), bytes);
  t.is((await cli.exit).code, 0);
});

lineTest('a line is for one process, and one that is taken is refused', async (t) => {
  const { near } = await joinLines(t);
  const cli = startCli(t, ['connect', '-v', `serial:${near}`]);
  await cli.said(/connected to serial:/);
  const { code, stderr } = await runCli(t, ['connect', `serial:${near}`]);
  t.is(code, 1);
  t.is(stderr, `tnet connect: serial:${near}: the line is in use (EBUSY)\n`);
});

lineTest('a line whose device goes away ends', async (t) => {
  const { near, cable } = await joinLines(t);
  const cli = startCli(t, ['connect', '-v', `serial:${near}`]);
  await cli.said(/connected to serial:/);
  cable.kill();
  t.is((await cli.exit).code, 0);
});

lineTest('each client of a proxy has the line in turn, and an answer may come after its end', async (t) => {
  const { near, device, write } = await joinLines(t);
  const heard = readText(device);
  const proxy = startCli(t, ['proxy', '127.0.0.1:0', `serial:${near}@115200`]);
  const address = await proxy.address();
  for (const word of ['first', 'second']) {
    const client = await connectPeer(t, address);
    const got = readText(client);
    client.end(`${word}?`);
    await heard.until(new RegExp(`${word}\\?`));
    write.write(`${word}!`);
    await got.until(new RegExp(`${word}!`));
    await once(client, 'end');
  }
  t.pass();
});

lineTest('a line whose connection has been closed is waited for until it has sent everything', async (t) => {
  const { near, device } = await joinLines(t);
  const bytes = payload(200_000);
  const first = await dial({ kind: 'serial', path: near, baud: 115_200 });
  first.end(bytes);
  await once(first, 'finish');
  first.destroy();
  await once(first, 'close');
  const opening = dial({ kind: 'serial', path: near, baud: 115_200 });
  const received = receive(device, bytes.length + 7);
  const second = await opening;
  second.end('second?');
  sameBytes(t, await received, Buffer.concat([bytes, Buffer.from('second?')]));
  second.destroy();
});

lineTest('a line can be the client of a proxy, of listen and of echo', async (t) => {
  const { near, device, write } = await joinLines(t);
  const heard = readText(device);
  const server = await startPeerServer(t, 'tcp');
  const proxy = startCli(t, ['proxy', `serial:${near}@9600`, server.words.join(':')]);
  const peer = (await server.accept()).resume();
  write.write('from the line');
  t.is(String((await once(peer, 'data'))[0]), 'from the line');
  peer.end('to the line');
  await heard.until(/to the line/);
  t.is((await proxy.exit).code, 0);

  const listener = startCli(t, ['listen', '-v', `serial:${near}@9600`]);
  await listener.said(/connection from/);
  const printed = readText(listener.stdout);
  write.write('printed');
  await printed.until(/printed/);
  listener.child.kill('SIGTERM');
  await listener.exit;

  const echo = startCli(t, ['echo', '-v', `serial:${near}@9600`]);
  await echo.said(/connection from/);
  write.write('there and back');
  await heard.until(/there and back/);
  echo.child.kill('SIGTERM');
  t.is((await echo.exit).signal, 'SIGTERM');
});

lineTest('-z opens a line, and refuses what is none', async (t) => {
  const { near } = await joinLines(t);
  t.is((await runCli(t, ['connect', '-z', `serial:${near}@9600`])).code, 0);
  for (const words of [['connect', '-zv'], ['connect']]) {
    const { code, stderr } = await runCli(t, [...words, 'serial:/dev/null']);
    t.is(code, 2);
    t.regex(stderr, /this is not a serial line \(TNET_E_ADDRESS\)/);
  }
});
