import { createLdapScript, createMysqlScript, createPostgresScript } from './binary-scripts.ts';
import { StarttlsDialogue, type StarttlsProtocol, type StarttlsScript } from './dialogue.ts';
import { createFtpScript, createImapScript, createPop3Script, createSmtpScript } from './line-scripts.ts';
import { createXmppScript } from './xmpp-script.ts';

/** What a dialogue may need to know. */
export interface StarttlsOptions {
  /** The name of the service: XMPP names it in its first line. */
  readonly host: string;
  /** What the client calls itself to an SMTP server. Default `localhost`. */
  readonly clientName?: string;
}

const scripts: Record<StarttlsProtocol, (options: StarttlsOptions) => StarttlsScript> = {
  smtp: ({ clientName }) => createSmtpScript(clientName),
  imap: createImapScript,
  pop3: createPop3Script,
  ftp: createFtpScript,
  postgres: createPostgresScript,
  ldap: createLdapScript,
  xmpp: ({ host }) => createXmppScript(host),
  mysql: createMysqlScript,
};

/** Every protocol of {@link StarttlsProtocol}, in the order of the documentation. */
export const starttlsProtocols = Object.keys(scripts) as readonly StarttlsProtocol[];

/**
 * The dialogue that leads a protocol's plain connection to TLS, one object per connection.
 * @throws ProtocolError TNET_E_PROTOCOL_INPUT for a host or client name that cannot be sent.
 */
export function createStarttls(protocol: StarttlsProtocol, options: StarttlsOptions): StarttlsDialogue {
  return new StarttlsDialogue(scripts[protocol](options));
}
