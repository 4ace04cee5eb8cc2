// Adopts descriptor 3 as a socket of the type given, answers one message in capitals, and prints what it saw.
import { Socket, type SocketType } from '../../../src/net/index.ts';

const [, , type] = process.argv;
try {
  const socket = new Socket({ fd: 3, type: type as SocketType, allowHalfOpen: true });
  socket.once('data', (chunk) => socket.end(String(chunk).toUpperCase()));
} catch (error) {
  console.log((error as NodeJS.ErrnoException).code);
}
