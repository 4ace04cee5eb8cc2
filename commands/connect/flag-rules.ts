import type { FlagRules } from '../options/flag-rules.ts';

/** Flags of a session, which neither a check nor a command after `--` has. */
const sessionFlags = [
  'exec',
  'shExec',
  'telnet',
  'raw',
  'escape',
  'delay',
  'idle',
  'quit',
  'shutdown',
  'sendOnly',
  'keepSending',
  'waitReply',
  'output',
  'format',
  'append',
  'timing',
] as const;

const stepFlags = ['expect', 'send', 'stepTimeout', 'sendCrlf', 'crlf'] as const;

/** What goes together in `tnet connect`. The modes: `then`, a command follows; `addresses`, several are only waited for. */
export const connectFlagRules: FlagRules = {
  excludes: [
    { mode: 'check', flags: [...stepFlags, ...sessionFlags], reason: 'a check sends and reads nothing' },
    { mode: 'a command after --', flags: sessionFlags, reason: 'there is no session' },
    { mode: 'several addresses', flags: sessionFlags, reason: 'they are only waited for' },
    { mode: 'recvOnly', flags: ['quit', 'keepSending'], reason: 'standard input is not read' },
    { mode: 'udp', flags: ['keepSending', 'retryDelay', 'starttls'], reason: 'UDP has no connections' },
  ],
  needs: [
    { flag: 'any', anyOf: ['check', 'a command after --', 'several addresses'], called: '-z' },
    { flag: 'all', anyOf: ['check', 'a command after --', 'several addresses'], called: '-z' },
    { flag: 'stepTimeout', anyOf: ['expect'], called: '--expect' },
    { flag: 'escape', anyOf: ['telnet', 'raw'], called: '-t or --raw' },
    { flag: 'format', anyOf: ['output'], called: '-o' },
    { flag: 'append', anyOf: ['output'], called: '-o' },
    { flag: 'retryDelay', anyOf: ['retry', 'wait'], called: '--retry or --wait' },
  ],
};
