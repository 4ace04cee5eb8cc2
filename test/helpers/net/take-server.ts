// Takes the server that its parent sends, and answers every client of it.
import type { Server } from 'node:net';

process.on('message', (message: unknown, server: Server | undefined) => {
  server?.on('connection', (socket) => socket.end('from the child'));
  process.send?.({ message, hasServer: server !== undefined });
});
