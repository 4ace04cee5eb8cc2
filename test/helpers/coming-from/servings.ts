import type net from 'node:net';

/** What a server does with a connection. */
export type Serve = (socket: net.Socket) => void;

/** Reads to the end, then answers: what comes of a half-close that is honoured. */
export const answer: Serve = (socket) => void socket.on('end', () => socket.end('an answer after the end\n'));

/** Answers each line, and ends after the second. */
export const talk: Serve = (socket) => {
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
    const lines = text.split('\n');
    if (lines.length > 2) socket.end(`you said ${lines[0]!.trim()} and ${lines[1]!.trim()}\n`);
  });
};

export const take: Serve = (socket) => void socket.on('end', () => socket.end());

export const greet: Serve = (socket) => void socket.end('220 ready\n');

/** Greets, and ends after the first answer. */
export const ask: Serve = (socket) => {
  socket.write('220 ready\n');
  socket.once('data', () => socket.end());
};

export const hold: Serve = (socket) => void socket.write('220 ready\n');

/** Tells the client its own address. */
export const name: Serve = (socket) =>
  void socket.end(`you are ${socket.remoteAddress} ${socket.remotePort}\n`);

export const reset: Serve = (socket) => {
  socket.write('220 ready\n');
  socket.on('data', () => setTimeout(() => socket.resetAndDestroy(), 200));
};
