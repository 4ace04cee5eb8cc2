/** What a client said before its stream began, as far as it said it. */
export interface DescribedGreeting {
  /** The client that a PROXY header names; `unknown` if it names none. */
  readonly client?: string;
  /** What was agreed on by TLS. */
  readonly tls?: {
    readonly protocol: string;
    /** The name that the client asked for. */
    readonly serverName?: string;
    readonly alpn?: string;
  };
  /** What it asks to be connected to, by SOCKS or CONNECT. */
  readonly request?: {
    readonly command: 'connect' | 'bind' | 'udp-associate';
    readonly host: string;
    readonly port: number;
  };
  /** The pattern of --route that its first bytes match: `sni:db.example.com`. */
  readonly route?: string;
}
