// The main job in one run: an echo server on a free port, and a client that gets its bytes back.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const tnet = fileURLToPath(new URL('../bin/tnet.js', import.meta.url));

function start(args, stdio) {
  console.log(`$ tnet ${args.join(' ')}`);
  return spawn(process.execPath, [tnet, ...args], { stdio });
}

const server = start(['echo', '127.0.0.1:0'], ['ignore', 'inherit', 'pipe']);
let said = '';
server.stderr.on('data', (text) => {
  said += text;
  process.stdout.write(text);
});
while (!said.includes('\n')) await once(server.stderr, 'data');
const port = /:(\d+)\n/.exec(said)?.[1];
if (port === undefined) throw new Error('the echo server did not say where it listens');

const client = start(['connect', '127.0.0.1', port], ['pipe', 'pipe', 'inherit']);
client.stdin.end('every byte comes back\n');
let answer = '';
client.stdout.on('data', (text) => {
  answer += text;
});
const [status] = await once(client, 'close');
process.stdout.write(answer);

server.kill('SIGTERM');
await once(server, 'close');
process.exitCode = status === 0 && answer === 'every byte comes back\n' ? 0 : 1;
