import { defaultEscape, parseEscape } from '../../../src/transform/escape-keys.ts';
import { parseExpect, unescapeText, choice, list, positiveSize, text, toggle, time } from '../value-kinds.ts';
import { anyEnd, checking, connectedEnds, streamEnds, streams, type Mode, type OptionTable } from '../row.ts';
import type { Step } from '../../../src/transform/dialogue.ts';

/** Of a session on standard input. */
const withInput: readonly Mode[] = ['send', 'many', 'broadcast', 'broker', 'chat'];
const both = { connect: ['client'], listen: ['server'] } as const;

/** When a session ends. */
export const endOfData = {
  quit: {
    flags: '-q, --quit <time>',
    help: 'end at most this long after the end of stdin',
    value: time,
    in: both,
    ends: anyEnd,
    modes: [...withInput, 'program', 'workers'],
    test: 'cli/ends.test.ts',
  },
  N: {
    flags: '-N',
    help: 'half-close at the end of stdin (the default, accepted for nc scripts)',
    value: toggle,
    in: both,
    ends: anyEnd,
    modes: [...checking, ...streams, 'workers'],
    test: 'cli/ends.test.ts',
  },
  shutdown: {
    flags: '--no-shutdown',
    help: 'do not half-close at the end of stdin',
    value: toggle,
    in: both,
    ends: anyEnd,
    modes: [...streams, 'workers'],
    test: 'cli/ends.test.ts',
  },
  recvOnly: {
    flags: '-d, --recv-only',
    help: 'never read stdin',
    value: toggle,
    in: both,
    ends: anyEnd,
    // A check reads none in any case, as with nc -dz.
    modes: [...checking, 'program', 'many', 'broker', 'chat', 'workers'],
    turnsOn: 'receive',
    excludes: { sendOnly: '', broadcast: '' },
    test: 'cli/ends.test.ts',
  },
  sendOnly: {
    flags: '--send-only',
    help: 'end once stdin is sent and acknowledged; drop what the peer sends',
    value: toggle,
    in: both,
    ends: anyEnd,
    modes: ['program', 'many', 'broadcast', 'workers'],
    turnsOn: 'send',
    test: 'cli/ends.test.ts',
  },
  keepSending: {
    flags: '--keep-sending',
    help: "after the peer's end, go on sending also from a terminal",
    value: toggle,
    in: both,
    ends: connectedEnds,
    modes: withInput,
    excludes: { endWithPeer: '' },
    test: 'cli/ends.test.ts',
  },
  endWithPeer: {
    flags: '--end-with-peer',
    help: 'end when the peer ends, with stdin still open',
    value: toggle,
    in: both,
    ends: anyEnd,
    modes: [...withInput, 'receive'],
    test: 'cli/after-end.test.ts',
  },
  readBytes: {
    flags: '--read-bytes <size>',
    help: 'end with status 0 once this much has been received and written; less is an error',
    value: positiveSize,
    in: both,
    ends: anyEnd,
    modes: ['receive'],
    test: 'cli/read-bytes.test.ts',
  },
  waitReply: {
    flags: '--wait-reply [time]',
    help: 'with -u: after stdin, end when no reply has come for this long',
    value: time,
    alone: '2s',
    in: { connect: ['client'] },
    ends: anyEnd,
    modes: ['receive', 'send'],
    needs: [{ anyOf: ['datagram'], called: 'with -u; -q limits the wait on a connection' }],
    test: 'cli/udp.test.ts',
  },
} as const satisfies OptionTable;

/** What is done to lines, and at a terminal. */
export const lines = {
  sendCrlf: {
    flags: '-C, --send-crlf',
    help: 'send CRLF for each LF; a CRLF is left as it is',
    value: toggle,
    in: both,
    ends: anyEnd,
    // A dialogue may come before what is only waited for.
    modes: [...streams, 'then', 'several', 'workers'],
    test: 'cli/connect/session-flags.test.ts',
  },
  crlf: {
    flags: '--crlf <direction>',
    help: 'CRLF for LF: out when sending, in: LF for CRLF received, or both',
    value: choice(['in', 'out', 'both']),
    in: both,
    ends: anyEnd,
    modes: [...streams, 'then', 'several', 'workers'],
    test: 'cli/connect/session-flags.test.ts',
  },
  telnet: {
    flags: '-t, --telnet [mode]',
    help: 'speak telnet; --telnet=active speaks first on any port',
    value: choice(['passive', 'active']),
    alone: 'passive',
    in: { connect: ['client'] },
    ends: streamEnds,
    modes: ['receive', 'send'],
    test: 'cli/connect/telnet.test.ts',
  },
  user: {
    flags: '--user <name>',
    help: 'with -t: the name to log in by, for a server that asks (NEW-ENVIRON)',
    value: text((name) => name, 'name'),
    in: { connect: ['client'] },
    ends: streamEnds,
    modes: ['receive', 'send'],
    needs: [{ anyOf: ['telnet'], called: 'with -t' }],
    test: 'cli/connect/telnet.test.ts',
  },
  raw: {
    flags: '--raw',
    help: 'send each key on the terminal as it is typed; the escape key leaves',
    value: toggle,
    in: both,
    ends: anyEnd,
    modes: ['send'],
    test: 'terminal/session.test.ts',
  },
  escape: {
    flags: '--escape <key>',
    help: 'the key for the command mode on a terminal: ^X, a character, or none',
    value: text(parseEscape, 'none'),
    default: { value: defaultEscape, text: '^]' },
    in: both,
    ends: anyEnd,
    modes: ['receive', 'send'],
    needs: [
      { anyOf: ['telnet', 'raw'], called: 'with -t or --raw', in: 'connect' },
      { anyOf: ['raw'], called: 'with --raw', in: 'listen' },
    ],
    test: 'cli/connect/session-flags.test.ts',
  },
  history: {
    flags: '--history <file>',
    help: 'keep the lines that are typed at a terminal in this file; default: one for each host',
    value: text((path) => path, '/nowhere/file', 'file'),
    off: { flags: '--no-history', help: 'keep no history' },
    in: both,
    ends: anyEnd,
    modes: withInput,
    excludes: { raw: 'keys are not lines' },
    test: 'terminal/lines.test.ts',
  },
  delay: {
    flags: '--delay <time>',
    help: 'wait this long between lines that are sent',
    value: time,
    in: both,
    ends: anyEnd,
    modes: ['program', 'send', 'workers'],
    test: 'cli/connect/session-flags.test.ts',
  },
} as const satisfies OptionTable;

/** A dialogue before the session. Both options gather one list: the steps in the order of the command line. */
export const dialogue = {
  expect: {
    flags: '--expect <regex>',
    help: 'before stdin: wait until the peer sends this; may be repeated',
    value: list<Step>(parseExpect, 'x'),
    gathers: 'steps',
    in: both,
    ends: anyEnd,
    modes: ['check', 'then', 'several', 'receive', 'send'],
    test: 'cli/connect/steps.test.ts',
  },
  send: {
    flags: '--send <text>',
    help: 'before stdin: send this, with \\r \\n \\t \\0 \\e \\xHH; may be repeated',
    value: list<Step>((written) => ({ kind: 'send', bytes: unescapeText(written) }), 'x'),
    gathers: 'steps',
    in: both,
    ends: anyEnd,
    modes: ['check', 'then', 'several', 'receive', 'send'],
    test: 'cli/connect/steps.test.ts',
  },
  stepTimeout: {
    flags: '--step-timeout <time>',
    help: 'limit for each --expect',
    value: time,
    default: { value: 10_000, text: '10s' },
    in: both,
    ends: anyEnd,
    modes: ['check', 'then', 'several', 'receive', 'send'],
    needs: [{ anyOf: ['expect'] }],
    test: 'cli/connect/steps.test.ts',
  },
} as const satisfies OptionTable;

/** A program in place of standard input and output. */
export const programs = {
  exec: {
    flags: '-e, --exec <command>',
    help: 'join the connection to a program, run without a shell',
    value: text((command) => command, 'cat', 'program'),
    in: both,
    ends: anyEnd,
    modes: ['receive', 'send', 'many', 'workers'],
    turnsOn: 'program',
    excludes: { shExec: '' },
    test: 'cli/listen/exec.test.ts',
  },
  shExec: {
    flags: '-c, --sh-exec <command>',
    help: 'join the connection to a command line of sh',
    value: text((line) => line, 'cat', 'program'),
    in: both,
    ends: anyEnd,
    modes: ['receive', 'send', 'many', 'workers'],
    turnsOn: 'program',
    test: 'cli/listen/exec.test.ts',
  },
} as const satisfies OptionTable;

/** Who may reach a program. */
export const exposure = {
  insecureExec: {
    flags: '--insecure-exec',
    help: 'let -e and -c serve other machines without --allow',
    helpIn: { proxy: 'let other machines reach a program, file or device without --allow' },
    value: toggle,
    config: true,
    in: { listen: ['server'], proxy: ['server'] },
    ends: anyEnd,
    modes: ['program', 'receive', 'send', 'many', 'workers'],
    needs: [
      { anyOf: ['exec', 'shExec'], in: 'listen' },
      {
        anyOf: ['program target'],
        in: 'proxy',
        called: 'with a target that is a program, a file or a device',
      },
    ],
    test: 'cli/listen/exec.test.ts',
  },
} as const satisfies OptionTable;
