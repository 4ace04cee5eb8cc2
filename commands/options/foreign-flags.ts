import { ownValue } from '../../src/own-value.ts';

/**
 * Flags of nc, ncat, socat and telnet that tnet does not have, with what to use. Never a silent different meaning.
 * The key is the flag as it was typed; `*` means any command.
 */
const hints: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  connect: {
    '-l': 'to listen, use: tnet listen; to log in by name, use: -t --user NAME',
    '-b': 'broadcast is not supported; the address to connect from is -s',
    '-k': '-k (keep listening) is an option of tnet listen',
    '-m': '-m (at most n connections) is an option of tnet listen',
    '-8': 'telnet is 8 bits wide as soon as the server asks for BINARY',
    '-7': 'telnet is 8 bits wide as soon as the server asks for BINARY',
    '-L': 'telnet is 8 bits wide as soon as the server asks for BINARY',
    '-E': 'use --escape none',
    '-a': 'a user name is sent only with: -t --user NAME',
    '-K': 'a user name is sent only with: -t --user NAME',
  },
  listen: {
    '-z': '-z (check ports) is an option of tnet connect',
    '-x': '-x (through a proxy) is an option of tnet connect',
    '-t': '-t (telnet) is an option of tnet connect',
    '-l': 'leave it out: tnet listen always listens',
  },
  // Before a command, or without one.
  '': {
    '-l': 'to listen, use: tnet listen',
    '-z': 'to check ports, use: tnet connect -z',
    '-u': 'it goes after a command: tnet connect -u or tnet listen -u',
  },
  '*': {
    '-X': 'name the proxy protocol in -x: socks4://, socks4a://, socks5://, http:// or https://',
    '-P': 'name the proxy user in -x: socks5://user@host:port',
    '-I': 'the receive buffer is set with --rcvbuf',
    '-O': 'the send buffer is set with --sndbuf',
    '-M': 'the hop limit is set with --ttl',
    '-T': 'the type of service is set with --tos',
    '-r': 'ports are checked in the order given',
    '-D': 'SO_DEBUG is not supported',
    '-S': 'TCP MD5 signatures are not supported',
    '-F': 'passing on a descriptor is not supported',
    '-V': 'to print the version, use: tnet --version',
    '-Z': 'DCCP is not supported',
    '-b': 'broadcast is not supported',
    '-g': 'source routing is not supported',
    '-G': 'source routing is not supported',
    '-W': 'a limit on packets is not supported; --timeout limits the run',
    '--ssl': 'TLS is --tls, verified by default',
    '--ssl-verify': 'with --tls the peer is verified unless --tls-insecure is given',
    '--ssl-trustfile': 'use --tls-ca',
    '--ssl-cert': 'use --tls-cert',
    '--ssl-key': 'use --tls-key',
    '--ssl-alpn': 'use --tls-alpn',
    '--ssl-servername': 'use --tls-servername',
    '--ssl-ciphers': 'Node chooses the ciphers',
    '--tls-sni': 'use --tls-servername',
    '--servername': 'use --tls-servername',
    '--cacert': 'use --tls-ca',
    '--insecure': 'use --tls-insecure',
    '--connect-timeout': 'the connect limit is -w',
    '--lua-exec': 'Lua is not built in; -e runs any program',
    '--sctp': 'SCTP is not supported',
    '--vsock': 'VSOCK is not supported',
    '--proxy-dns': 'the proxy looks up names, except with socks4://',
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
    '--proxy-type': 'name the proxy protocol in -x: socks4://, socks4a://, socks5://, http:// or https://',
    '--proxy-auth': 'passwords are read from the environment or a file, never from the command line',
  },
};

/** What to use instead of a flag that another program has. @param command '' before a command */
export function findForeignFlag(command: string, flag: string): string | undefined {
  const name = /^-[^-]/.test(flag) ? flag.slice(0, 2) : flag.replace(/=.*/s, '');
  return ownValue(hints[command] ?? {}, name) ?? ownValue(hints['*'] ?? {}, name);
}
