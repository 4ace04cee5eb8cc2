// The library, a superset of node:net: a server whose peers may half-close, and a client that does.
import { once } from 'node:events';
import net from 'tnet';

const server = net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
server.listen(0, '127.0.0.1');
await once(server, 'listening');

const client = net.connect({ port: server.address().port, host: '127.0.0.1', allowHalfOpen: true });
client.end('every byte comes back\n');
for await (const chunk of client) process.stdout.write(chunk);
server.close();
