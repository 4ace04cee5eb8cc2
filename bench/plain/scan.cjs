// What `tnet connect -z HOST FIRST-LAST` comes to in plain Node: 256 at once. node scan.cjs HOST FIRST LAST
const net = require('node:net');

const [host, first, last] = process.argv.slice(2);
let next = Number(first);
function check() {
  if (next > Number(last)) return;
  const socket = net.connect(next++, host);
  socket
    .on('connect', () => socket.destroy())
    .on('error', () => undefined)
    .on('close', check);
}
for (let i = 0; i < 256; i++) check();
