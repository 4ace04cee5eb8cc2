/** Kinds of address that tnet does not have, and what to do instead. The key is what stands before the colon. */
const otherKinds: Readonly<Record<string, string>> = {
  ws: 'WebSockets are not supported; tls://HOST:PORT or HOST:PORT speaks the plain stream',
  wss: 'WebSockets are not supported; tls://HOST:PORT or HOST:PORT speaks the plain stream',
  telnet: 'telnet is an option: tnet connect -t HOST 23',
  telnets: 'telnet is an option: tnet connect -t tls://HOST:992',
  ssh: 'tnet speaks no ssh; ssh goes through it with ProxyCommand (tnet help --man connect)',
  ssl: 'TLS is tls://HOST:PORT',
  socks: 'a proxy is named with -x: tnet connect -x socks5://HOST:PORT …',
  socks4: 'a proxy is named with -x: tnet connect -x socks4://HOST:PORT …',
  socks4a: 'a proxy is named with -x: tnet connect -x socks4a://HOST:PORT …',
  socks5: 'a proxy is named with -x: tnet connect -x socks5://HOST:PORT …',
  vsock: 'vsock is not supported',
  exec: "a program is joined to a connection with -e 'COMMAND'",
  sh: "a command line of sh is joined to a connection with -c 'LINE'",
  system: "a command line of sh is joined to a connection with -c 'LINE'",
  pty: "a terminal of its own is not supported; -e 'COMMAND' runs a program without one",
  file: 'a file is given to standard input or output by the shell: < FILE, > FILE',
  serial: 'serial lines are not supported',
  'unix-dgram': 'a Unix socket of datagrams is not supported; unix:PATH is one of a stream',
  'unix-seqpacket': 'a Unix socket of packets is not supported; unix:PATH is one of a stream',
};

/** The ports of schemes that name a protocol above TCP. */
const webPorts: Readonly<Record<string, number>> = { http: 80, https: 443 };

const socat =
  /^(TCP|UDP|SCTP|DCCP|UNIX|LOCAL|ABSTRACT|OPENSSL|SSL|EXEC|SYSTEM|SHELL|STDIO|STDIN|STDOUT|OPEN|GOPEN|CREATE|FILE|FD|PIPE|FIFO|PTY|SOCKS|SOCKS4|SOCKS4A|SOCKS5|PROXY|VSOCK|TUN|READLINE)[46]?((?:-[A-Z]+)*)(?:[:,](.*)|$)/s;

/**
 * What to type for an address of another program or kind: a URL, an address of socat, a kind that tnet does not have.
 * Undefined for all others.
 */
export function explainForeignAddress(text: string): string | undefined {
  const [, kind = '', role = '', rest = ''] = socat.exec(text) ?? [];
  if (kind !== '') return `an address of socat: ${translateSocat(kind, role, rest.replace(/,.*/s, ''))}`;
  const [, name = '', slashes, after = ''] = /^([a-z][a-z0-9-]*):(\/\/)?(.*)$/s.exec(text) ?? [];
  const port = webPorts[name];
  if (port !== undefined && slashes !== undefined) return explainUrl(name, after, port);
  // `sh:80` would be a port of a host of that name.
  return /^\d+$/.test(after) ? undefined : otherKinds[name];
}

function explainUrl(scheme: string, after: string, port: number): string {
  // Behind an @ may be a password with a slash in it: nothing of such a URL is shown.
  const [, host = 'HOST', own] = /^(\[[\da-f:.]+\]|[^@/:?#]+)(?::(\d+))?(?:[/?#][^@]*)?$/i.exec(after) ?? [];
  const place = `${host}:${own ?? port}`;
  return `tnet speaks no HTTP; the stream below it is ${scheme === 'https' ? `tls://${place}` : place}`;
}

function translateSocat(kind: string, role: string, rest: string): string {
  const place = rest === '' || rest.includes('@') ? 'HOST:PORT' : rest;
  switch (kind) {
    case 'TCP':
      return `here it is ${place}`;
    case 'UDP':
      return `here it is udp://${/^\d+$/.test(place) ? `:${place}` : place}`;
    case 'OPENSSL':
    case 'SSL':
      return `here it is tls://${/^\d+$/.test(place) ? `:${place}` : place}`;
    case 'UNIX':
    case 'LOCAL':
      return /DGRAM|RECV|SENDTO/.test(role)
        ? (otherKinds['unix-dgram'] ?? '')
        : `here it is unix:${rest === '' ? 'PATH' : rest}`;
    case 'ABSTRACT':
      return `here it is unix:@${rest === '' ? 'NAME' : rest}`;
    case 'STDIO':
      return 'standard input and output are joined to every connection of connect and listen';
    case 'EXEC':
      return otherKinds.exec ?? '';
    case 'SYSTEM':
    case 'SHELL':
      return otherKinds.sh ?? '';
    case 'OPEN':
    case 'GOPEN':
    case 'CREATE':
    case 'FILE':
    case 'PIPE':
    case 'FIFO':
    case 'STDIN':
    case 'STDOUT':
      return otherKinds.file ?? '';
    case 'FD':
      return `here it is fd:${rest === '' ? 'N' : rest}`;
    case 'PTY':
      return otherKinds.pty ?? '';
    default:
      return kind.startsWith('SOCKS') || kind === 'PROXY'
        ? (otherKinds.socks5 ?? '')
        : `${kind} is not supported`;
  }
}
