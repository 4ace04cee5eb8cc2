import { anyEnd, connectedEnds, sessions, type OptionTable } from '../row.ts';
import { count, entries, rate, time, text, toggle } from '../value-kinds.ts';

/** How many clients a server takes. */
export const clients = {
  keepOpen: {
    flags: '-k, --keep-open',
    help: 'go on listening; serve clients at the same time',
    value: toggle,
    in: { listen: ['server'] },
    ends: anyEnd,
    modes: [...sessions, 'workers'],
    turnsOn: 'many',
    test: 'cli/listen/many.test.ts',
  },
  maxConnections: {
    flags: '-m, --max-connections <n>',
    help: 'serve at most n connections at once',
    helpIn: { proxy: 'serve at most n connections at once; the rest wait' },
    value: count(1),
    config: true,
    in: { listen: ['server'], echo: ['server'], proxy: ['server'] },
    ends: anyEnd,
    modes: [...sessions, 'workers', 'names', 'replay-target'],
    needs: [{ anyOf: ['keepOpen'], called: 'with -k', in: 'listen' }],
    lane: true,
    test: 'cli/listen/many.test.ts',
  },
  reject: {
    flags: '--reject',
    help: 'with -m: reset clients over the limit instead of letting them wait',
    helpIn: { proxy: 'reset the connections beyond -m instead of letting them wait' },
    value: toggle,
    config: true,
    in: { listen: ['server'], echo: ['server'], proxy: ['server'] },
    ends: connectedEnds,
    modes: [...sessions, 'workers', 'names', 'replay-target'],
    needs: [{ anyOf: ['maxConnections'] }],
    because: { datagram: 'UDP clients cannot wait: those beyond -m are always turned away' },
    test: 'cli/listen/many.test.ts',
  },
} as const satisfies OptionTable;

/** How often a client may come. Of echo: see service. */
export const admission = {
  rate: {
    flags: '--rate <rate>',
    help: 'new connections a client address may make: 10/s, 100/m; more are reset',
    value: rate,
    config: true,
    in: { proxy: ['server'], listen: ['server'] },
    ends: anyEnd,
    modes: [...sessions, 'workers', 'names', 'replay-target'],
    needs: [{ anyOf: ['keepOpen'], called: 'with -k', in: 'listen' }],
    lane: true,
    test: 'cli/proxy/proxy.test.ts',
  },
} as const satisfies OptionTable;

/** Who may be a client. On a Unix socket a PROXY header may still say who calls: see openAccess() and checkPair(). */
export const access = {
  allow: {
    flags: '--allow <list>',
    help: 'serve only these: CIDR, HOST or ./FILE, with commas',
    value: entries('127.0.0.0/8'),
    config: true,
    in: { listen: ['server'], echo: ['server'], proxy: ['server'] },
    ends: anyEnd,
    modes: [...sessions, 'answers', 'workers', 'names', 'replay-target'],
    lane: true,
    test: 'cli/access.test.ts',
  },
  deny: {
    flags: '--deny <list>',
    help: 'turn these away: CIDR, HOST or ./FILE, with commas',
    value: entries('10.0.0.0/8'),
    config: true,
    in: { listen: ['server'], echo: ['server'], proxy: ['server'] },
    ends: anyEnd,
    modes: [...sessions, 'answers', 'workers', 'names', 'replay-target'],
    lane: true,
    test: 'cli/access.test.ts',
  },
} as const satisfies OptionTable;

/** What the clients of `listen -k` hear and say. */
export const rooms = {
  broadcast: {
    flags: '--broadcast',
    help: 'send stdin to every client (implies -k)',
    value: toggle,
    in: { listen: ['server'] },
    ends: anyEnd,
    modes: ['many', 'send'],
    turnsOn: 'broadcast',
    implies: { keepOpen: true },
    test: 'cli/listen/many.test.ts',
  },
  broker: {
    flags: '--broker',
    help: "send each client's bytes and stdin to all the others (implies -k)",
    value: toggle,
    in: { listen: ['server'] },
    ends: anyEnd,
    modes: ['many', 'receive'],
    turnsOn: 'broker',
    implies: { keepOpen: true },
    test: 'cli/listen/many.test.ts',
  },
  chat: {
    flags: '--chat',
    help: 'like --broker, in lines with <user N> before each (implies -k)',
    value: toggle,
    in: { listen: ['server'] },
    ends: anyEnd,
    modes: ['many', 'receive'],
    turnsOn: 'chat',
    implies: { keepOpen: true },
    test: 'cli/listen/many.test.ts',
  },
  label: {
    flags: '--label',
    help: 'put the client before each line on stdout',
    value: toggle,
    in: { listen: ['server'] },
    ends: anyEnd,
    modes: ['many', 'receive', 'broadcast'],
    needs: [{ anyOf: ['keepOpen'], called: 'with -k' }],
    test: 'cli/listen/many.test.ts',
  },
  outputDir: {
    flags: '--output-dir <dir>',
    help: "write each client's bytes to a file of its own",
    value: text((folder) => folder, '/nowhere', 'folder'),
    in: { listen: ['server'] },
    ends: anyEnd,
    modes: ['many', 'receive', 'broadcast'],
    needs: [{ anyOf: ['keepOpen'], called: 'with -k' }],
    excludes: { label: '' },
    test: 'cli/listen/many.test.ts',
  },
} as const satisfies OptionTable;

/** How long a server of one client waits for it. */
export const firstClient = {
  wait: {
    flags: '-w, --wait <time>',
    help: 'limit for the first client to come',
    value: time,
    in: { listen: ['server'] },
    ends: anyEnd,
    modes: sessions,
    test: 'cli/ends.test.ts',
  },
} as const satisfies OptionTable;
