/** What a connection's end can be: it carries a stream or datagrams, between IP addresses or on this machine. */
export type End = 'stream' | 'datagram' | 'ip' | 'unix';

export const anyEnd: readonly End[] = ['stream', 'datagram', 'ip', 'unix'];
export const streamEnds: readonly End[] = ['stream', 'ip', 'unix'];
export const ipEnds: readonly End[] = ['stream', 'datagram', 'ip'];
export const tcpEnds: readonly End[] = ['stream', 'ip'];

/**
 * What a command can be asked to do in the place of its plain work. How a mode is called where no option turns it on, and
 * why it does without an option that does not name it; '' where the two are plain alternatives.
 */
export const modes = {
  check: { called: '-z', reason: 'a check sends and reads nothing' },
  then: { called: 'a command after --', reason: 'there is no session' },
  several: { called: 'several addresses', reason: 'they are only waited for' },
  program: { called: 'a program', reason: 'the program takes the place of standard input and output' },
  receive: { called: '-d', reason: 'standard input is not read' },
  send: { called: '--send-only', reason: 'what the peer sends is dropped' },
  many: { called: '-k', reason: 'it is for one client' },
  broadcast: { called: '--broadcast', reason: '' },
  broker: { called: '--broker', reason: '' },
  chat: { called: '--chat', reason: '' },
  answers: { called: 'a UDP server', reason: 'UDP has no connections' },
  workers: { called: '--workers', reason: 'the clients are served by other processes' },
  /** SOCKS and HTTP CONNECT. */
  names: { called: '--socks', reason: 'clients name their target' },
  'replay-clients': { called: '- as LISTEN', reason: "the recording takes the clients' place" },
  'replay-target': { called: '--replay', reason: "the recording takes the target's place" },
} as const satisfies Record<string, { readonly called: string; readonly reason: string }>;

export type Mode = keyof typeof modes;

/** Of connect: no session follows. */
export const checking: readonly Mode[] = ['check', 'then', 'several'];
/** Of a session: who reads and writes, and with how many clients. */
export const sessions: readonly Mode[] = [
  'program',
  'receive',
  'send',
  'many',
  'broadcast',
  'broker',
  'chat',
];
/** For an option about the connection, whatever is done with it. */
export const anySession: readonly Mode[] = [...checking, ...sessions];
