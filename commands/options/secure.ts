import { Option, type Command } from 'commander';
import type { StarttlsProtocol } from '../../src/protocol/starttls/dialogue.ts';

/** The TLS flags that both sides have. Each implies --tls: a flag of TLS must never leave a connection in the clear. */
export interface SecureFlags {
  readonly tls?: boolean;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsAlpn?: readonly string[];
}

export interface ClientSecureFlags extends SecureFlags {
  readonly tlsServername?: string;
  readonly tlsInsecure?: boolean;
  readonly tlsPin?: readonly string[];
  readonly starttls?: StarttlsProtocol;
}

const starttlsNames: readonly StarttlsProtocol[] = [
  'smtp',
  'imap',
  'pop3',
  'ftp',
  'postgres',
  'ldap',
  'xmpp',
  'mysql',
];

/** The flags that say which server a TLS client trusts. */
const trust = {
  servername: () => secure('--tls-servername <name>', 'ask for this name and check the certificate for it'),
  insecure: () => secure('--tls-insecure', 'do not check the certificate'),
  pin: () =>
    secure(
      '--tls-pin <sha256>',
      'the SHA-256 of the key or certificate, hex or base64; may be repeated',
    ).argParser(collect),
} as const;

/** Adds the flags of a TLS client that no server has, for a command that can be both. */
export function addClientTrustOptions(command: Command): void {
  for (const create of Object.values(trust)) command.addOption(create());
}

/** Adds the flags of a TLS client. */
export function addClientSecureOptions(command: Command): void {
  command
    .addOption(new Option('--tls', 'speak TLS; the certificate is checked'))
    .addOption(secure('--tls-ca <file>', 'trust the authorities in this PEM file only'))
    .addOption(secure('--tls-cert <file>', 'show this certificate (PEM)'))
    .addOption(secure('--tls-key <file>', 'the key of --tls-cert; default: in the same file'))
    .addOption(trust.servername())
    .addOption(secure('--tls-alpn <protocol>', 'offer this protocol; may be repeated').argParser(collect))
    .addOption(trust.insecure())
    .addOption(trust.pin())
    .addOption(
      secure('--starttls <protocol>', 'begin in the clear as this protocol does').choices(starttlsNames),
    );
}

/** Adds the flags of a TLS server. */
export function addServerSecureOptions(command: Command): void {
  command
    .addOption(new Option('--tls', 'speak TLS; without --tls-cert with a throw-away certificate'))
    .addOption(secure('--tls-cert <file>', 'the certificate (PEM), with its chain'))
    .addOption(secure('--tls-key <file>', 'the key of --tls-cert; default: in the same file'))
    .addOption(secure('--tls-ca <file>', 'require client certificates by the authorities in this PEM file'))
    .addOption(secure('--tls-alpn <protocol>', 'accept this protocol; may be repeated').argParser(collect));
}

function secure(flags: string, description: string): Option {
  return new Option(flags, description).implies({ tls: true });
}

/** Gathers the values of a flag that may be repeated. */
export function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}
