// What `tnet proxy PORT TARGET` comes to in plain Node. node proxy.cjs PORT TARGET
const net = require('node:net');

const [port, target] = process.argv.slice(2).map(Number);
const options = { allowHalfOpen: true, noDelay: true };
const server = net.createServer(options, (client) => {
  const socket = net.connect({ ...options, host: '127.0.0.1', port: target });
  client.on('error', () => socket.destroy());
  socket.on('error', () => client.destroy());
  client.pipe(socket).pipe(client);
});
server.listen(port, '127.0.0.1');
