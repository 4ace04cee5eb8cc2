// What `tnet connect HOST PORT` comes to in plain Node. node connect.cjs HOST PORT
const net = require('node:net');

const [host, port] = process.argv.slice(2);
const socket = net.connect({ host, port: Number(port), allowHalfOpen: true });
socket.on('error', (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
process.stdin.pipe(socket);
socket.pipe(process.stdout);
