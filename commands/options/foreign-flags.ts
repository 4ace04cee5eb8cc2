/**
 * Flags of nc, ncat, socat and telnet that tnet does not have, with what to use. Never a silent different meaning.
 * The key is the flag as it was typed; `*` stands for any command.
 */
const hints: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  connect: {
    '-l': 'to listen, use: tnet listen',
    '-k': '-k (keep listening) goes with: tnet listen',
    '-m': '-m (at most n connections) goes with: tnet listen',
    '-8': 'telnet is 8 bits wide as soon as the server asks for BINARY',
    '-7': 'telnet is 8 bits wide as soon as the server asks for BINARY',
    '-L': 'telnet is 8 bits wide as soon as the server asks for BINARY',
    '-E': 'use --escape none',
    '-a': 'no user name is sent on its own: --expect and --send log in',
    '-K': 'no user name is ever sent on its own',
  },
  listen: {
    '-z': '-z (check ports) goes with: tnet connect',
    '-x': '-x (through a proxy) goes with: tnet connect',
    '-t': '-t (telnet) goes with: tnet connect',
    '-l': 'leave it out: tnet listen always listens',
  },
  // Before a command, or without one.
  '': {
    '-l': 'to listen, use: tnet listen',
    '-z': 'to check ports, use: tnet connect -z',
    '-u': 'it belongs behind a command: tnet connect -u or tnet listen -u',
  },
  '*': {
    '-X': 'name the proxy protocol in -x: socks4://, socks4a://, socks5:// or http://',
    '-P': 'name the proxy user in -x: socks5://user@host:port',
    '-I': 'the receive buffer is set with --rcvbuf',
    '-O': 'the send buffer is set with --sndbuf',
    '-M': 'the hop limit is set with --ttl',
    '-T': 'the type of service is set with --tos',
    '-r': 'tnet takes ports in the order given',
    '-D': 'SO_DEBUG is not offered',
    '-S': 'TCP MD5 signatures are not offered',
    '-F': 'passing a descriptor on is not offered',
    '-V': 'the version is printed by: tnet --version',
    '-Z': 'DCCP is not offered',
    '-b': 'broadcast is not offered',
    '-g': 'source routing is not offered',
    '-G': 'source routing is not offered',
    '-W': 'a limit on packets is not offered; --timeout limits the run',
    '--ssl': 'TLS is --tls, verified by default',
    '--ssl-verify': 'with --tls the peer is verified unless --tls-insecure is given',
    '--ssl-trustfile': 'use --tls-ca',
    '--ssl-cert': 'use --tls-cert',
    '--ssl-key': 'use --tls-key',
    '--ssl-alpn': 'use --tls-alpn',
    '--ssl-servername': 'use --tls-servername',
    '--ssl-ciphers': 'Node chooses the ciphers',
    '--lua-exec': 'no Lua is built in; -e runs any program',
    '--sctp': 'SCTP is not offered',
    '--vsock': 'VSOCK is not offered',
    '--proxy-dns': 'the proxy looks names up, but for socks4://',
    '--sh-exec': 'use -c',
    '--exec-sh': 'use -c',
    '--no-dns': 'use -n',
    '--nodns': 'use -n',
    '--wait': 'the connect limit is -w',
    '--keep-open': 'use -k',
    '--max-conns': 'use -m',
    '--source': 'use -s',
    '--source-port': 'use -p',
    '--idle-timeout': 'use -i',
    '--unixsock': 'use -U',
    '--udp': 'use -u',
    '--crlf-out': 'use -C',
    '--allowfile': 'a file is named in --allow with a slash: --allow ./FILE',
    '--denyfile': 'a file is named in --deny with a slash: --deny ./FILE',
    '--hex-dump': 'use -o FILE --format hex',
    '--append-output': 'use --append with -o',
    '--proxy': 'use -x',
    '--proxy-type': 'name the proxy protocol in -x: socks4://, socks4a://, socks5:// or http://',
    '--proxy-auth': 'passwords are read from the environment or a file, never from the command line',
  },
};

/** What to use instead of an unknown flag or command, as the whole error line, or undefined. */
export function usageHint(command: string | undefined, code: string, message: string): string | undefined {
  if (code === 'commander.unknownCommand' && !message.includes('Did you mean')) {
    return `${message}: tnet --help lists the commands; to connect, use: tnet connect HOST PORT`;
  }
  if (code !== 'commander.unknownOption') return undefined;
  const flag = /unknown option '([^']+)'/.exec(message)?.[1] ?? '';
  const short = /^-[^-]/.test(flag) ? flag.slice(0, 2) : flag.replace(/=.*/, '');
  const hint = hints[command ?? '']?.[short] ?? hints['*']?.[short];
  return hint === undefined ? undefined : `unknown option '${hideValue(flag)}': ${hint}`;
}

/** An option as it is shown: a value in the same word may be a secret, as in `--proxy-auth=user:password` or `-Puser:password`. */
function hideValue(flag: string): string {
  if (flag.startsWith('--')) return flag.replace(/=.*/s, '=…');
  return /^-[\w-]*$/.test(flag) ? flag : `${flag.slice(0, 2)}…`;
}
