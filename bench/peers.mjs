// The programs that are compared: how each is started for each kind of work. A row that begins with `tnet` is ours.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { descriptorLimit, findProgram, folder, load, tnet } from './machine.mjs';

const node = process.execPath;
const streams = 'TNET_NATIVE=0 ';

/** Every program with Debian's package that has it. */
export const packages = {
  'nc.openbsd': 'netcat-openbsd',
  ncat: 'ncat',
  socat: 'socat',
  haproxy: 'haproxy',
  nginx: 'nginx-light and libnginx-mod-stream',
  redir: 'redir',
  simpleproxy: 'simpleproxy',
};

/** Why a row cannot be run here, or undefined. */
export function findReason(name) {
  if (/^(tnet|node|C)\b/.test(name)) return undefined;
  const program = name.split(' ')[0];
  if (!findProgram(program)) return `${program} is not installed (Debian: ${packages[program]})`;
  if (program === 'nginx' && !existsSync(nginxModule))
    return 'nginx has no stream module (Debian: libnginx-mod-stream)';
  return undefined;
}

const mostConnections = Math.min(12_000, Math.floor((descriptorLimit - 600) / 2));
const nginxModule = '/usr/lib/nginx/modules/ngx_stream_module.so';

const certificate = join(folder, 'certificate.pem');

/** A certificate for 127.0.0.1 with its key, in one file, made once. */
function findCertificate() {
  if (existsSync(certificate)) return certificate;
  const key = join(folder, 'key.pem');
  const options = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost';
  execFileSync('openssl', [
    ...`req -x509 ${options} -addext subjectAltName=IP:127.0.0.1,DNS:localhost`.split(' '),
    ...['-keyout', key, '-out', `${key}.crt`],
  ]);
  writeFileSync(certificate, readFileSync(`${key}.crt`, 'utf8') + readFileSync(key, 'utf8'));
  return certificate;
}

function haproxy(port, target, { splice = false, ofBind = '', ofServer = '' } = {}) {
  const file = join(folder, `haproxy-${port}.cfg`);
  writeFileSync(
    file,
    `global
  nbthread 1
  maxconn ${mostConnections}
  maxpipes 200
defaults
  mode tcp
  timeout connect 5s
  timeout client 600s
  timeout server 600s
listen relay
  bind 127.0.0.1:${port} backlog 4096 ${ofBind}
  ${splice ? '' : 'no '}option splice-auto
  server target 127.0.0.1:${target} ${ofServer}
`,
  );
  return `exec ${findProgram('haproxy')} -db -q -f ${file}`;
}

function nginx(port, target, { protocol = 'backlog=4096', more = '' } = {}) {
  const file = join(folder, `nginx-${port}.conf`);
  writeFileSync(
    file,
    `load_module ${nginxModule};
daemon off;
worker_processes 1;
pid ${file}.pid;
error_log /dev/null;
events { worker_connections ${mostConnections * 2}; }
stream {
  access_log off;
  server { listen 127.0.0.1:${port} ${protocol}; proxy_pass 127.0.0.1:${target}; ${more} }
}
`,
  );
  return `exec ${findProgram('nginx')} -p ${folder} -e /dev/null -c ${file}`;
}

const proxy = (port, target) => `exec ${node} ${tnet} proxy 127.0.0.1:${port} 127.0.0.1:${target}`;
const socat = (port, target, size) =>
  `exec socat -b${size} TCP-LISTEN:${port},bind=127.0.0.1,reuseaddr,fork,backlog=4096 TCP:127.0.0.1:${target}`;

/** Relays from a port to a port. */
export const relays = {
  tnet: proxy,
  'tnet, no express lane': (port, target) => `TNET_EXPRESS=0 ${proxy(port, target)}`,
  'tnet, no addon': (port, target) => `${streams}${proxy(port, target)}`,
  haproxy: (port, target) => haproxy(port, target),
  'haproxy splice': (port, target) => haproxy(port, target, { splice: true }),
  'nginx stream': (port, target) => nginx(port, target),
  'socat 8 KiB': (port, target) => socat(port, target, 8192),
  'socat 64 KiB': (port, target) => socat(port, target, 65536),
  redir: (port, target) => `exec redir -n 127.0.0.1:${port} 127.0.0.1:${target}`,
  simpleproxy: (port, target) => `exec simpleproxy -L 127.0.0.1:${port} -R 127.0.0.1:${target}`,
};

/** A script of bench/plain: the floor that plain Node gives. */
const plain = (name) => fileURLToPath(new URL(`plain/${name}.cjs`, import.meta.url));
const proxyWith = (options, target) => (port, to) =>
  `exec ${node} ${tnet} proxy ${options} 127.0.0.1:${port} ${target?.(to) ?? `127.0.0.1:${to}`}`;

const plainProxy = (name) => (port, to) =>
  `exec ${node} ${plain(name)} ${port} ${to} ${name === 'proxy' ? '' : findCertificate()}`;

/** This machine's name, which the hosts file has: a name that is not localhost, and needs no server to be found. */
const named = hostname();

/** Options that need something for each connection, one by one, against the same relay in plain Node. */
export const laneless = {
  tnet: proxy,
  'tnet, no express lane': relays['tnet, no express lane'],
  'tnet, named target': proxyWith('', (to) => `${named}:${to}`),
  'tnet, two targets': proxyWith('', (to) => `127.0.0.1:${to} localhost:${to}`),
  'tnet --socks': (port) => `exec ${node} ${tnet} proxy --socks 127.0.0.1:${port}`,
  'tnet --http-connect': (port) => `exec ${node} ${tnet} proxy --http-connect 127.0.0.1:${port}`,
  'tnet --accept-proxy': proxyWith('--accept-proxy'),
  'tnet --send-proxy': proxyWith('--send-proxy 1'),
  'tnet --tap': (port, to) => `${proxyWith('--tap')(port, to)} > /dev/null`,
  'tnet -o': proxyWith('-o /dev/null'),
  'tnet --rate': proxyWith('--rate 1000000/s'),
  'tnet --latency': proxyWith('--latency 0ms'),
  'node: twelve lines': plainProxy('proxy'),
};

/** What a client says first to some of these, in bytes. */
export const prefaces = {
  'tnet --socks': (to) => Buffer.from([4, 1, to >> 8, to & 255, 127, 0, 0, 1, 0]),
  'tnet --http-connect': (to) =>
    Buffer.from(`CONNECT 127.0.0.1:${to} HTTP/1.1\r\nHost: 127.0.0.1:${to}\r\n\r\n`),
  'tnet --accept-proxy': (to) => Buffer.from(`PROXY TCP4 127.0.0.1 127.0.0.1 1 ${to}\r\n`),
};

/** Relays that look at every byte, or carry them in JavaScript, against the same in plain Node. */
export const transforms = {
  'tnet, no addon': relays['tnet, no addon'],
  'tnet -o': proxyWith('-o /dev/null'),
  'tnet --latency': proxyWith('--latency 0ms'),
  'node: twelve lines': plainProxy('proxy'),
};

/** Relays that speak TLS with their clients. */
export const tlsIn = {
  tnet: (port, to) => proxyWith(`--tls-in --tls-cert ${findCertificate()}`)(port, to),
  haproxy: (port, to) => haproxy(port, to, { ofBind: `ssl crt ${findCertificate()}` }),
  'nginx stream': (port, to) =>
    nginx(port, to, {
      protocol: 'ssl backlog=4096',
      more: `ssl_certificate ${findCertificate()}; ssl_certificate_key ${certificate};`,
    }),
  'node: tls': plainProxy('tls-in'),
};

/** Relays that speak TLS with their target. */
export const tlsOut = {
  tnet: (port, to) => proxyWith(`--tls-out --tls-ca ${findCertificate()}`)(port, to),
  haproxy: (port, to) => haproxy(port, to, { ofServer: `ssl verify required ca-file ${findCertificate()}` }),
  'nginx stream': (port, to) =>
    nginx(port, to, {
      more: `proxy_ssl on; proxy_ssl_verify on; proxy_ssl_name localhost; proxy_ssl_trusted_certificate ${findCertificate()};`,
    }),
  'node: tls': plainProxy('tls-out'),
};

/** The TLS server behind those. Not nginx: it answers an end of TLS with a bare FIN, which is a cut for who asks. */
export const tlsServer = (port, to) => tlsIn.haproxy(port, to);

/** Relays of datagrams from a port to a port. */
export const udpRelays = {
  tnet: (port, to) => `exec ${node} ${tnet} proxy udp://127.0.0.1:${port} udp://127.0.0.1:${to}`,
  'socat forking': (port, to) => `exec socat UDP4-LISTEN:${port},bind=127.0.0.1,fork UDP4:127.0.0.1:${to}`,
  'nginx stream': (port, to) => nginx(port, to, { protocol: 'udp' }),
};

/** Echoes of datagrams. */
export const udpEchoes = {
  tnet: (port) => `exec ${node} ${tnet} echo -u --rate none 127.0.0.1:${port}`,
  'socat forking': (port) => `exec socat UDP4-LISTEN:${port},bind=127.0.0.1,fork PIPE`,
  'C, one at a time': (port) => `exec ${load} udp-serve ${port}`,
};

const range = ['1', '20000'];

/** Checks of twenty thousand ports of this machine. */
export const scans = {
  tnet: { file: node, args: [tnet, 'connect', '-z', '127.0.0.1', range.join('-')] },
  'tnet, no addon': {
    file: node,
    args: [tnet, 'connect', '-z', '127.0.0.1', range.join('-')],
    env: { TNET_NATIVE: '0' },
  },
  'nc.openbsd': { file: 'nc.openbsd', args: ['-z', '127.0.0.1', range.join('-')] },
  'node: 256 at once': { file: node, args: [plain('scan'), '127.0.0.1', ...range] },
};

/** Those that have one process for all connections. */
export const eventRelays = Object.fromEntries(
  Object.entries(relays).filter(([name]) => /^(tnet|haproxy|nginx)/.test(name)),
);

const isPath = (address) => String(address).startsWith('/');
const words = (address) => (isPath(address) ? `-U ${address}` : `127.0.0.1 ${address}`);

/** stdin to a socket. */
export const senders = {
  tnet: (address) => `${node} ${tnet} connect ${words(address)}`,
  'tnet, no addon': (address) => `${streams}${node} ${tnet} connect ${words(address)}`,
  'nc.openbsd': (address) => `nc.openbsd -N ${words(address)}`,
  ncat: (address) => `ncat --send-only ${words(address)}`,
  'socat 64 KiB': (address) =>
    `socat -u -b65536 STDIN ${isPath(address) ? `UNIX-CONNECT:${address}` : `TCP:127.0.0.1:${address}`}`,
};

/** The first connection to stdout. */
export const takers = {
  tnet: (address) => `${node} ${tnet} listen -d ${words(address)}`,
  'tnet, no addon': (address) => `${streams}${node} ${tnet} listen -d ${words(address)}`,
  'nc.openbsd': (address) => `nc.openbsd -d -l ${words(address)}`,
  ncat: (address) => `ncat --recv-only -l ${words(address)}`,
  'socat 64 KiB': (address) =>
    `socat -u -b65536 ${isPath(address) ? `UNIX-LISTEN:${address}` : `TCP-LISTEN:${address},bind=127.0.0.1,reuseaddr`} STDOUT`,
};

/** Echo servers. */
export const echoes = {
  tnet: (port) => `exec ${node} ${tnet} echo 127.0.0.1:${port}`,
  'tnet, no addon': (port) => `${streams}exec ${node} ${tnet} echo 127.0.0.1:${port}`,
  'ncat -e cat': (port) => `exec ncat -l -k -m 1000 -e /bin/cat 127.0.0.1 ${port}`,
  'socat EXEC:cat': (port) =>
    `exec socat TCP-LISTEN:${port},bind=127.0.0.1,reuseaddr,fork,backlog=4096 EXEC:cat`,
  'C with epoll': (port) => `exec ${load} serve ${port}`,
};

const library = fileURLToPath(new URL('../dist/index.cjs', import.meta.url));

/** An HTTP server on the connections of the library, or of node:net. */
export const httpServers = {
  tnet: (port) => `exec ${node} ${plain('http')} ${port} ${library}`,
  'tnet, dataBeforeError': (port) => `exec ${node} ${plain('http')} ${port} ${library} dataBeforeError`,
  'node:net': (port) => `exec ${node} ${plain('http')} ${port}`,
};

/** What it is asked, without the last byte, a request's body: alone on its connection, or one of many. */
export const httpRequests = {
  close: 'POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 1\r\n\r\n',
  keepAlive: 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n',
};

/** A start that does something real and ends by itself, with the status that it ends with. */
export function starts(port) {
  const ours = (...args) => ({ file: node, args: [tnet, ...args], status: 0 });
  // listen, echo and proxy would stay: a port that cannot be is refused after all of their code is loaded.
  const refused = (...args) => ({ ...ours(...args), status: 2 });
  return {
    'node -e 0': { file: node, args: ['-e', '0'], status: 0 },
    'tnet isip': ours('isip', '127.0.0.1'),
    'tnet isip --in': ours('isip', '--in', '10.0.0.0/8', '10.1.2.3'),
    'tnet --version': ours('--version'),
    'tnet connect': ours('connect', '127.0.0.1', String(port)),
    'node: ten lines': { file: node, args: [plain('connect'), '127.0.0.1', String(port)], status: 0 },
    'tnet connect --help': ours('connect', '--help'),
    'tnet proxy --help': ours('proxy', '--help'),
    'tnet connect -z': ours('connect', '-z', '127.0.0.1', String(port)),
    'tnet listen': refused('listen', '65536'),
    'tnet echo': refused('echo', '65536'),
    'tnet proxy': refused('proxy', '65536', '1'),
    'nc.openbsd -z': { file: 'nc.openbsd', args: ['-z', '127.0.0.1', String(port)], status: 0 },
    'ncat -z': { file: 'ncat', args: ['-z', '127.0.0.1', String(port)], status: 0 },
    'socat to a port': {
      file: 'socat',
      args: ['-u', 'OPEN:/dev/null', `TCP:127.0.0.1:${port}`],
      status: 0,
    },
  };
}
