// From samples to figures: medians, spreads, ratios, and what they are measured against.
import { laneless } from './peers.mjs';

export const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** A work's samples by row → figures by row and metric: `{ median, least, most }`. */
export function summarise(samples, metrics) {
  return Object.fromEntries(
    [...samples].map(([name, list]) => [
      name,
      Object.fromEntries(
        metrics.flatMap(({ key }) => {
          const values = list.map((sample) => sample[key]).filter((value) => value !== undefined);
          if (values.length === 0) return [];
          return [[key, { median: median(values), least: Math.min(...values), most: Math.max(...values) }]];
        }),
      ),
    ]),
  );
}

const isPeer = (name) => !/^(tnet|C\b)/.test(name);

/** The best peer's name in a metric. */
export function findBest(rows, { key, better }, among = isPeer) {
  const peers = Object.entries(rows).filter(([name, figures]) => among(name) && figures[key]);
  const sorted = peers.toSorted(([, a], [, b]) => a[key].median - b[key].median);
  return (better === 'more' ? sorted.at(-1) : sorted[0])?.[0];
}

/** What is to be shown: `limit` × at least for more, at most for less. */
const goals = [
  ['relay, one stream, GB/s against the best peer', 'relay-stream', 'gbps', 1.4],
  ['relay, one stream, CPU-s/GB against the best peer', 'relay-stream', 'cpu', 0.4],
  ['pipe to socket against the fastest netcat', 'pipe-to-socket-tcp', 'gbps', 1.3, /^(nc|ncat)/],
  ['file to socket against the fastest netcat', 'file-to-socket-tcp', 'gbps', 1.5, /^(nc|ncat)/],
  ['socket to pipe against the fastest netcat', 'socket-to-pipe-tcp', 'gbps', 3, /^(nc|ncat)/],
  ['connections per second against haproxy', 'relay-rate', 'rate', 1.1, /^haproxy$/],
  ['ping-pong p99 at 64 connections against haproxy', 'relay-pings-64', 'p99', 1, /^haproxy$/],
  ['memory for an idle connection against haproxy', 'relay-idle', 'kb', 1.5, /^haproxy$/],
  ['start of tnet isip against node -e 0', 'start', 'ms', 1.15, /^node -e 0$/, 'tnet isip'],
  ['start of tnet connect against ten lines of Node', 'start', 'ms', 1.25, /^node: ten/, 'tnet connect'],
  [
    'start of tnet connect --help against node -e 0',
    'start',
    'ms',
    1.4,
    /^node -e 0$/,
    'tnet connect --help',
  ],
  ['start of tnet proxy --help against node -e 0', 'start', 'ms', 1.4, /^node -e 0$/, 'tnet proxy --help'],
  ...Object.keys(laneless)
    .filter((name) => name.startsWith('tnet,') || name.startsWith('tnet -'))
    .map((name) => [
      `connections/s, ${name}, against plain Node`,
      'relay-options',
      'rate',
      0.85,
      /^node/,
      name,
    ]),
  ...[
    'tnet, named target',
    'tnet, two targets',
    'tnet --accept-proxy',
    'tnet --send-proxy',
    'tnet --rate',
  ].map((name) => [`connections/s, ${name}, against the lane`, 'relay-options', 'rate', 0.9, /^tnet$/, name]),
  [
    'ping-pong p99 at 1000 connections, no lane, against haproxy',
    'relay-pings-1000',
    'p99',
    1,
    /^haproxy$/,
    'tnet, no express lane',
  ],
  ['check of 20000 ports against nc', 'scan', 'ms', 1, /^nc/],
  ['check of 20000 ports without addon against plain Node', 'scan', 'ms', 1.1, /^node/, 'tnet, no addon'],
  ['connections/s of tnet echo against the server in C', 'echo-rate', 'rate', 0.5, /^C with/],
  ...['tnet, no addon', 'tnet -o', 'tnet --latency'].map((name) => [
    `CPU-s/GB, ${name}, against plain Node`,
    'relay-transforms',
    'cpu',
    1.1,
    /^node/,
    name,
  ]),
  ['CPU-s/GB, --tls-in, against plain Node', 'tls-in-stream', 'cpu', 1.1, /^node/],
  ['handshakes for a CPU-second, --tls-in, against nginx', 'tls-in-handshakes', 'perCpu', 0.9, /^nginx/],
  ['connections/s, --tls-out, against haproxy', 'tls-out-rate', 'rate', 1, /^haproxy/],
  ['datagrams/s, proxy, against socat', 'udp-relay', 'rate', 1.5, /^socat/],
  ['datagrams/s, proxy, against nginx', 'udp-relay', 'rate', 1, /^nginx/],
  ['datagrams/s, echo, against socat', 'udp-echo', 'rate', 1.5, /^socat/],
  ['HTTP on the library, keep-alive, against node:net', 'http-keep-alive', 'perCpu', 0.97, /^node/],
  ['HTTP on the library, a connection a request, against node:net', 'http-close', 'perCpu', 0.97, /^node/],
];

/** What is to be shown in itself: [what, work, metric, at most, program]. */
const limits = [
  ['tnet isip --json, a million lines, ms', 'isip', 'ms', 2000, 'tnet --json'],
  [
    'descriptors of a relayed connection, no express lane',
    'relay-descriptors',
    'each',
    2,
    'tnet, no express lane',
  ],
];

function measureLimits(works) {
  return limits.flatMap(([title, id, key, limit, own]) => {
    const figure = works.find((one) => one.id === id)?.rows[own]?.[key]?.median;
    return figure === undefined
      ? []
      : [{ title, limit, better: 'less', unit: '', ratio: figure, isMet: figure <= limit }];
  });
}

/** The goals whose works have been run, with the ratio, or the figure, that was measured. */
export function measureGoals(works) {
  const ratios = goals.flatMap(([title, id, key, limit, peers, own = 'tnet']) => {
    const work = works.find((one) => one.id === id);
    const metric = work?.metrics.find((one) => one.key === key);
    const against = work && findBest(work.rows, metric, (name) => (peers ? peers.test(name) : isPeer(name)));
    if (!against || !work.rows[own]?.[key]) return [];
    const ratio = work.rows[own][key].median / work.rows[against][key].median;
    const isMet = metric.better === 'more' ? ratio >= limit : ratio <= limit;
    return [{ title, limit, better: metric.better, unit: ` × ${against}`, ratio, isMet }];
  });
  return [...ratios, ...measureLimits(works)];
}
