import type { TableFlags } from './row.ts';
import type { tls } from './table/tls.ts';

/** The TLS flags that both sides have. Each implies --tls: a flag of TLS must never leave a connection in the clear. */
export type SecureFlags = TableFlags<typeof tls, 'listen'>;

/** The TLS flags of a client. */
export type ClientSecureFlags = TableFlags<typeof tls, 'connect'>;
