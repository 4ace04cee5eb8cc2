/** An address and a port as an answer names them. */
export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

/** What a client of SOCKS or CONNECT asks for, and how it is answered. Who connects it is to answer once. */
export interface TargetRequest {
  /** `bind` is answered twice: with where its peer is to connect, and with who did. */
  readonly command: 'connect' | 'bind' | 'udp-associate';
  readonly host: string;
  readonly port: number;
  /** The answer that it has what it asked for, at `bound`, which CONNECT does not tell. */
  readonly grant: (bound: BoundAddress) => Buffer;
  /** The answer that it cannot have it, because of an error with this code. */
  readonly refuse: (code: string | undefined) => Buffer;
}
