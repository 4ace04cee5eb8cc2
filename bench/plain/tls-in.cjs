// What `tnet proxy --tls-in PORT TARGET` comes to in plain Node. node tls-in.cjs PORT TARGET CERTIFICATE_AND_KEY
const { readFileSync } = require('node:fs');
const net = require('node:net');
const tls = require('node:tls');

const [port, target, file] = process.argv.slice(2);
const pem = readFileSync(file);
const options = { allowHalfOpen: true, noDelay: true };
const server = tls.createServer({ ...options, cert: pem, key: pem }, (client) => {
  const socket = net.connect({ ...options, host: '127.0.0.1', port: Number(target) });
  client.on('error', () => socket.destroy());
  socket.on('error', () => client.destroy());
  client.pipe(socket).pipe(client);
});
server.listen(Number(port), '127.0.0.1');
