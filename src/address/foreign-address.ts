import { ownValue } from '../own-value.ts';

/** Kinds of address that tnet does not have, and what to do instead. The key is the part before the colon. */
const otherKinds: Readonly<Record<string, string>> = {
  telnet: 'for telnet, use: tnet connect -t HOST 23',
  telnets: 'for telnet, use: tnet connect -t tls://HOST:992',
  ssh: 'SSH is not supported; tnet can be the ProxyCommand of ssh (tnet help --man connect)',
  ssl: 'for TLS, use tls://HOST:PORT',
  dtls: 'DTLS is not supported; for TLS over TCP, use tls://HOST:PORT',
  socks: 'to connect through a proxy, use: tnet connect -x socks5://HOST:PORT …',
  socks4: 'to connect through a proxy, use: tnet connect -x socks4://HOST:PORT …',
  socks4a: 'to connect through a proxy, use: tnet connect -x socks4a://HOST:PORT …',
  socks5: 'to connect through a proxy, use: tnet connect -x socks5://HOST:PORT …',
  system: "to run a shell command, use sh:'LINE', or -c 'LINE' for a connection",
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
  if (kind !== '') {
    const translation = translateSocat(kind, role, rest.replace(/,.*/s, ''));
    return `a socat address; ${translation}`;
  }
  const [, name = '', slashes, after = ''] = /^([a-z][a-z0-9-]*):(\/\/)?(.*)$/s.exec(text) ?? [];
  const port = ownValue(webPorts, name);
  if (port !== undefined && slashes !== undefined) return explainUrl(name, after, port);
  // `ssh:80` is a port of a host of that name.
  return /^\d+$/.test(after) ? undefined : ownValue(otherKinds, name);
}

function explainUrl(scheme: string, after: string, port: number): string {
  // A URL with an @ may contain a password with a slash in it: nothing of such a URL is shown.
  const [, host = 'HOST', own] = /^(\[[\da-f:.]+\]|[^@/:?#]+)(?::(\d+))?(?:[/?#][^@]*)?$/i.exec(after) ?? [];
  const place = `${host}:${own ?? port}`;
  return `HTTP is not supported; for a plain stream, use ${scheme === 'https' ? `tls://${place}` : place}`;
}

function translateSocat(kind: string, role: string, rest: string): string {
  const place = rest === '' || rest.includes('@') ? 'HOST:PORT' : rest;
  switch (kind) {
    case 'TCP':
      return `in tnet it is ${place}`;
    case 'UDP':
      return `in tnet it is udp://${/^\d+$/.test(place) ? `:${place}` : place}`;
    case 'OPENSSL':
    case 'SSL':
      return `in tnet it is tls://${/^\d+$/.test(place) ? `:${place}` : place}`;
    case 'UNIX':
    case 'LOCAL':
      return /DGRAM|RECV|SENDTO/.test(role)
        ? `in tnet it is unix-dgram:${rest === '' ? 'PATH' : rest}`
        : `in tnet it is unix:${rest === '' ? 'PATH' : rest}`;
    case 'ABSTRACT':
      return `in tnet it is unix:@${rest === '' ? 'NAME' : rest}`;
    case 'STDIO':
      return 'standard input and output are joined to every connection of connect and listen';
    case 'EXEC':
      return "in tnet it is exec:'COMMAND', or -e 'COMMAND' for a connection";
    case 'SYSTEM':
    case 'SHELL':
      return "in tnet it is sh:'LINE', or -c 'LINE' for a connection";
    case 'OPEN':
    case 'GOPEN':
    case 'CREATE':
    case 'FILE':
    case 'PIPE':
    case 'FIFO':
      return `in tnet it is file:${rest === '' ? 'PATH' : rest}`;
    case 'STDIN':
    case 'STDOUT':
      return 'in tnet standard input and output are -';
    case 'FD':
      return `in tnet it is fd:${rest === '' ? 'N' : rest}`;
    case 'PTY':
      return "in tnet it is pty:'COMMAND'";
    case 'VSOCK':
      return `in tnet it is vsock:${rest === '' ? 'CID:PORT' : rest}`;
    default:
      return kind.startsWith('SOCKS') || kind === 'PROXY'
        ? (otherKinds.socks5 ?? '')
        : `${kind} is not supported`;
  }
}
