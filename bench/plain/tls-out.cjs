// What `tnet proxy --tls-out PORT TARGET` comes to in plain Node. node tls-out.cjs PORT TARGET CA
const { readFileSync } = require('node:fs');
const net = require('node:net');
const tls = require('node:tls');

const [port, target, file] = process.argv.slice(2);
const ca = readFileSync(file);
const options = { allowHalfOpen: true, noDelay: true };
let session;
const server = net.createServer(options, (client) => {
  const to = { ...options, host: '127.0.0.1', port: Number(target) };
  const socket = tls.connect({ ...to, ca, session, servername: 'localhost' });
  socket.on('session', (ticket) => (session = ticket));
  client.on('error', () => socket.destroy());
  socket.on('error', () => client.destroy());
  client.pipe(socket).pipe(client);
});
server.listen(Number(port), '127.0.0.1');
