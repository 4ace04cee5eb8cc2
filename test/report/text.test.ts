import { readFileSync } from 'node:fs';
import test from 'ava';
import type { Event, EventName } from '../../src/report/events.ts';
import { Reporter } from '../../src/report/reporter.ts';
import { renderEvent, type Verbosity } from '../../src/report/text.ts';

const totals = { sentBytes: 1, receivedBytes: 20, durationMs: 1500 };
const state = { open: 0, failed: 0, probes: 0, refused: {} };
const ping = {
  remote: 'b:2',
  payloadBytes: 64,
  sent: 3,
  received: 2,
  lost: 1,
  pending: 0,
  wrong: 0,
  wrongBytes: 0,
  duplicates: 0,
  reordered: 0,
  sentBytes: 192,
  receivedBytes: 128,
  durationMs: 2000,
  bytesPerSecond: 64,
};
const certificate = {
  event: 'certificate',
  remote: 'h:443',
  depth: 0,
  subject: 'CN=h',
  issuer: 'CN=ca',
  names: ['DNS:h', 'DNS:www.h'],
  validFrom: '2026-01-01T00:00:00.000Z',
  validTo: '2026-12-31T00:00:00.000Z',
  daysLeft: 1,
  key: 'EC prime256v1',
  fingerprint: 'AB:CD',
  keyPin: 'cGlu',
} as const;
const checked = { event: 'checked', address: 'h:80', host: 'h', port: 80, durationMs: 1 } as const;
const retry = {
  event: 'retry',
  address: 'h:80',
  retry: 2,
  delayMs: 1250,
  code: 'ECONNREFUSED',
  message: 'connection refused',
} as const;

/** What scripts may look for: a changed sentence is a changed interface, and belongs in the change log. */
const file = { id: 1, remote: 'h:80', direction: 'sent', name: 'a' } as const;
const files = [
  [0, 1, '9 bytes'],
  [4, 0, 'resumed after 4 of 9 bytes'],
  [9, 0, 'is there already'],
] as const;
const sentences: readonly (readonly [event: Event, from: Verbosity, text: string])[] = [
  [{ event: 'listening', address: '127.0.0.1:80' }, 0, 'listening on 127.0.0.1:80'],
  [{ event: 'bind-retry', address: 'h:80', delayMs: 1000 }, 1, 'h:80: in use, next try in 1 s'],
  [{ event: 'access-reloaded', allowed: 2, denied: 0 }, 1, 'access lists read again: 2 allowed, 0 denied'],
  [{ event: 'attempt', address: 'h:80' }, 2, 'trying h:80'],
  [
    { event: 'attempt-failed', address: 'h:80', code: 'ECONNREFUSED', message: 'connection refused' },
    1,
    'h:80: connection refused (ECONNREFUSED)',
  ],
  [{ ...retry, of: 3 }, 1, 'h:80: connection refused (ECONNREFUSED); retry 2 of 3 in 1.3 s'],
  [retry, 1, 'h:80: connection refused (ECONNREFUSED); retry 2 in 1.3 s'],
  [
    { ...checked, state: 'open', remote: '10.0.0.1', service: 'http' },
    1,
    'connection to h (10.0.0.1) 80 port [tcp/http] succeeded!',
  ],
  [
    {
      ...checked,
      state: 'silent',
      transport: 'udp',
      code: 'TNET_E_TIMEOUT',
      message: 'no answer within 2 s: open or filtered',
    },
    1,
    'h port 80 (udp): no answer within 2 s: open or filtered (TNET_E_TIMEOUT)',
  ],
  [
    { ...checked, state: 'open', remote: 'h', transport: 'udp' },
    1,
    'connection to h 80 port [udp/*] succeeded!',
  ],
  [
    { ...checked, state: 'closed', wanted: 'closed', code: 'ECONNREFUSED', message: 'connection refused' },
    1,
    'h port 80 (tcp) is closed: connection refused (ECONNREFUSED)',
  ],
  [
    {
      ...checked,
      state: 'open',
      wanted: 'closed',
      code: 'TNET_E_OPEN',
      message: 'it still accepts connections',
    },
    1,
    'h port 80 (tcp): it still accepts connections (TNET_E_OPEN)',
  ],
  [
    {
      event: 'checked',
      address: 'db',
      host: 'db',
      state: 'found',
      remote: '10.0.0.1',
      wanted: 'name',
      durationMs: 1,
    },
    1,
    'db is 10.0.0.1',
  ],
  [
    {
      event: 'checked',
      address: 'http://h/x',
      host: 'http://h/x',
      state: 'open',
      wanted: 'http',
      status: 204,
      durationMs: 1,
    },
    1,
    'http://h/x answered 204',
  ],
  [
    { event: 'try', address: 'h:80', sequence: 3, state: 'open', remote: '10.0.0.1', durationMs: 1.5 },
    0,
    'h:80: try 3 open in 1.500 ms',
  ],
  [
    {
      event: 'try',
      address: 'h:80',
      sequence: 4,
      state: 'silent',
      code: 'TNET_E_TIMEOUT',
      message: 'no answer from h:80 within 1 s',
      durationMs: 1000,
    },
    0,
    'h:80: try 4 unanswered after 1000.000 ms: no answer from h:80 within 1 s (TNET_E_TIMEOUT)',
  ],
  [
    { event: 'tries', address: 'h:80', tried: 4, opened: 3, failed: 1, durationMs: 4000 },
    0,
    'h:80: 4 tried, 3 open',
  ],
  [{ ...checked, state: 'open', remote: 'h' }, 1, 'connection to h 80 port [tcp/*] succeeded!'],
  [
    { event: 'checked', address: '/s', host: '/s', state: 'open', durationMs: 1 },
    1,
    'connection to /s succeeded!',
  ],
  [
    { ...checked, state: 'closed', code: 'ECONNREFUSED', message: 'connection refused' },
    1,
    'connect to h port 80 (tcp) failed: connection refused (ECONNREFUSED)',
  ],
  [
    { event: 'connected', id: 1, local: '10.0.0.2:5', remote: 'h:80' },
    1,
    'connected to h:80 from 10.0.0.2:5',
  ],
  [{ event: 'connected', id: 1, remote: '/s' }, 1, 'connected to /s'],
  [{ event: 'interactive', escape: '^]' }, 0, 'the escape key is ^]'],
  [{ event: 'interactive', escape: 'none' }, 1, 'the escape key is none'],
  [{ event: 'telnet', id: 1, direction: 'sent', what: 'DO ECHO' }, 2, 'telnet: sent DO ECHO'],
  [{ event: 'timing', phase: 'first-byte', durationMs: 1.5 }, 0, 'timing: first byte 1.500 ms'],
  [
    { event: 'timing', phase: 'attempt', address: 'h:80', outcome: 'refused', durationMs: 1 },
    0,
    'timing: attempt h:80 1.000 ms, refused',
  ],
  [{ event: 'accepted', id: 1, local: 'a:1', remote: 'b:2' }, 1, 'connection from b:2'],
  [{ event: 'client', id: 1, remote: 'b:2', client: 'c:3' }, 1, 'b:2: its client is c:3'],
  [
    {
      ...{ event: 'client', id: 1, remote: 'b:2', client: 'c:3', alpn: 'h2', authority: 'a.example' },
      ...{ uniqueId: 'u1', netns: 'blue', tls: 'TLSv1.3', cipher: 'AES', commonName: 'bob', verified: true },
      ...{ checksum: true, others: ['0xe0'] },
    },
    1,
    'b:2: its client is c:3, asked for a.example, ALPN h2, TLSv1.3, AES, certificate CN=bob verified, ' +
      'unique id u1, network namespace blue, checksum right, also 0xe0',
  ],
  [{ event: 'proxied', proxy: 'socks5://p:1080', target: 'h:80' }, 1, 'through socks5://p:1080 to h:80'],
  [
    {
      event: 'tls',
      remote: 'h:443',
      protocol: 'TLSv1.3',
      cipher: 'TLS_AES_256_GCM_SHA384',
      alpn: 'h2',
      verified: true,
    },
    1,
    'h:443: TLSv1.3, TLS_AES_256_GCM_SHA384, ALPN h2, certificate verified',
  ],
  [
    certificate,
    1,
    'h:443: certificate 0: CN=h; for DNS:h, DNS:www.h; valid until 2026-12-31 (1 day left); issued by CN=ca; SHA-256 AB:CD; key sha256//cGlu',
  ],
  [
    { ...certificate, issuer: 'CN=h', names: [], daysLeft: -1 },
    1,
    'h:443: certificate 0: CN=h; expired on 2026-12-31; self-signed; SHA-256 AB:CD; key sha256//cGlu',
  ],
  [
    { event: 'throwaway-certificate', fingerprint: 'AB:CD' },
    0,
    'throw-away certificate with SHA-256 fingerprint AB:CD',
  ],
  [{ event: 'answer', remote: '10.0.0.2:9000', bytes: 1 }, 1, '10.0.0.2:9000: answer of 1 byte'],
  [{ event: 'warning', message: 'nothing is checked' }, 0, 'WARNING: nothing is checked'],
  [{ event: 'refused', remote: 'b:2', reason: 'not allowed' }, 0, 'refused b:2: not allowed'],
  [
    { event: 'datagrams-lost', remote: 'b:2', datagrams: 1, bytes: 9 },
    0,
    'b:2: 1 datagram lost, which came faster than they were taken',
  ],
  [
    { event: 'datagram-cut', remote: 'b:2', bytes: 70000, limitBytes: 65507 },
    1,
    'b:2: 70000 bytes of input cut into datagrams of 65507 and less',
  ],
  [
    { event: 'datagram', remote: 'b:2', receivedBytes: 1, sentBytes: 512 },
    1,
    'b:2: datagram of 1 byte, answered with 512 bytes',
  ],
  [{ event: 'datagram', remote: 'b:2', receivedBytes: 9 }, 1, 'b:2: datagram of 9 bytes, no answer'],
  [
    { event: 'reply', remote: 'b:2', sequence: 7, roundTripMs: 0.5, isWrong: false },
    1,
    'payload 7 is back in 0.500 ms',
  ],
  [
    { event: 'reply', remote: 'b:2', sequence: 7, roundTripMs: 0.5, isWrong: true },
    1,
    'payload 7 is back in 0.500 ms, with wrong bytes',
  ],
  [{ event: 'ping', ...ping }, 0, 'b:2: 3 sent, 2 back'],
  [{ event: 'program-ended', id: 3, status: 2 }, 1, 'the program of connection 3 ended with status 2'],
  [
    { event: 'program-ended', id: 3, status: 143, signal: 'SIGTERM' },
    1,
    'the program of connection 3 ended by SIGTERM',
  ],
  ...files.map(
    ([fromBytes, from, text]) =>
      [{ event: 'file-started', ...file, bytes: 9, fromBytes }, from, `h:80: a: ${text}`] as const,
  ),
  [
    { event: 'file-done', ...file, bytes: 1, fromBytes: 0, sha256: 'ab', durationMs: 1 },
    1,
    'h:80: a: complete, 1 byte, SHA-256 ab',
  ],
  [{ event: 'sending-on', id: 1, remote: 'b:2' }, 1, 'b:2: the peer has ended; stdin is still being sent'],
  [
    { event: 'ended', id: 1, remote: 'b:2', reason: 'eof', ...totals },
    1,
    'b:2: eof, 20 bytes in, 1 byte out in 1.500 s',
  ],
  [
    { event: 'totals', connections: 1, ...totals, ...state },
    0,
    '1 connection, 20 bytes in, 1 byte out in 1.500 s',
  ],
  [
    { event: 'totals', connections: 9, ...totals, ...state, open: 2, failed: 1, refused: { rate: 3 } },
    0,
    '9 connections (2 open, 1 failed, 3 refused (rate)), 20 bytes in, 1 byte out in 1.500 s',
  ],
  [
    { event: 'totals', connections: 0, ...totals, ...state, datagrams: 2, dropped: 1 },
    0,
    '2 datagrams (1 more dropped), 20 bytes in, 1 byte out in 1.500 s',
  ],
  [
    { event: 'totals', connections: 4, ...totals, ...state, probes: 3 },
    0,
    '4 connections (3 without a word), 20 bytes in, 1 byte out in 1.500 s',
  ],
  [{ event: 'probe', id: 1, remote: 'b:2' }, 1, 'b:2: left without a word'],
  [{ event: 'lane', address: 'h:80', express: true }, 2, 'h:80: express lane'],
  [
    { event: 'lane', address: 'h:80', express: false, reason: 'a limit on its rate' },
    2,
    'h:80: no express lane: a limit on its rate',
  ],
  [{ event: 'replayed', remote: 'h:80', side: 'client' }, 1, 'h:80: as recorded'],
  [{ event: 'replayed', remote: 'h:80', side: 'client', difference: 'byte 3' }, 0, 'h:80: differs: byte 3'],
  [{ event: 'worker-started', worker: 1, pid: 7 }, 1, 'worker 1 serves, process 7'],
  [
    { event: 'worker-ended', worker: 1, pid: 7, signal: 'SIGKILL', connections: 2 },
    0,
    'worker 1 (process 7) ended by SIGKILL, 2 connections lost; another is started',
  ],
  [{ event: 'control', url: 'http://h/' }, 0, 'steered at http://h/'],
  [{ event: 'metrics', url: 'http://h/metrics' }, 0, 'metrics at http://h/metrics'],
  [{ event: 'reloaded', file: 'tnet.json', pairs: 2 }, 0, 'tnet.json: reloaded, 2 pairs'],
  [{ event: 'target-up', target: 'h:80' }, 0, 'h:80: up'],
  [{ event: 'target-down', target: 'h:80' }, 0, 'h:80: down, left out'],
  [
    {
      event: 'target-down',
      target: 'h:80',
      code: 'TNET_E_EXPECT',
      message: 'answered with status 503, not 2xx',
    },
    0,
    'h:80: down, left out: answered with status 503, not 2xx',
  ],
  [{ event: 'hint', subject: 'h:1080', message: 'try this' }, 0, 'h:1080: try this'],
  [{ event: 'cut', connections: 2 }, 0, 'cut 2 connections that had not ended'],
  [{ event: 'draining', open: 1, limitMs: 10000 }, 0, 'waiting for 1 connection, at most 10 s'],
  [
    { event: 'error', subject: 'h:80', code: 'ECONNRESET', message: 'connection reset by peer' },
    0,
    'h:80: connection reset by peer (ECONNRESET)',
  ],
];

for (const [event, from, text] of sentences) {
  test(`from verbosity ${from} on, people read: ${text}`, (t) => {
    const sentence = renderEvent(event);
    t.deepEqual({ text: sentence.text, from: sentence.from }, { text, from });
  });
}

test('that stdin is still being sent after the peer has ended is said on a terminal without -v', (t) => {
  for (const [isTerminal, said] of [
    [true, 1],
    [false, 0],
  ] as const) {
    const lines: string[] = [];
    const options = { name: 'tnet', verbosity: 0, json: false, isTerminal } as const;
    const reporter = new Reporter({ ...options, write: (line) => void lines.push(line) });
    reporter.emit({ event: 'sending-on', id: 1, remote: 'b:2' });
    t.is(lines.length, said);
  }
});

test('every event of docs/events.md that connect and listen have has its sentence here', (t) => {
  const docs = readFileSync(new URL('../../docs/events.md', import.meta.url), 'utf8');
  const names = [...docs.matchAll(/^\| `([a-z-]+)`/gm)].map(([, name]) => name as EventName);
  const told = new Set(sentences.map(([{ event }]) => event));
  t.deepEqual(
    names.filter((name) => !told.has(name)),
    [],
  );
});

/** Every kind of character that must not reach a terminal: C0, DEL, C1, bidi controls, separators, half a character. */
const hostile =
  '\0\b\t\n\r\x1b[2J\x7f\x85\x9b31m\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ud800';
const unsafe = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|[\ud800-\udfff]/u;

/** An event with hostile text in the place of every text that it has, but of its name. */
function poison(value: unknown): unknown {
  if (typeof value === 'string') return hostile;
  if (Array.isArray(value)) return value.map(poison);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => {
      if (key === 'event') return [key, member as unknown];
      return [key === 'rate' ? hostile : key, poison(member)];
    }),
  );
}

for (const name of new Set(sentences.map(([{ event }]) => event))) {
  test(`no control character gets through any member of the event ${name}, as text or as JSON`, (t) => {
    for (const [event] of sentences.filter(([one]) => one.event === name)) {
      const poisoned = poison(event) as Event;
      for (const json of [false, true]) {
        const written: string[] = [];
        const write = (line: string) => void written.push(line);
        const reporter = new Reporter({ name: 'tnet', verbosity: 2, json, write });
        reporter.emit(poisoned);
        reporter.flush();
        const [line = ''] = written;
        t.true(line.endsWith('\n'));
        t.notRegex(line.slice(0, -1), unsafe);
        if (!json) continue;
        const { time, ...members } = JSON.parse(line) as Event & { time: string };
        t.is(typeof time, 'string');
        t.deepEqual(members, poisoned);
      }
    }
  });
}
