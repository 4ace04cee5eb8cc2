import tls from 'node:tls';

/** node:tls's own types, so that no other folder imports it. */
export type { DetailedPeerCertificate, SecureContextOptions, TLSSocket } from 'node:tls';

/** Prepares certificates and keys, and lists what is trusted by default: see node:tls. */
export const { createSecureContext, DEFAULT_CIPHERS, getCACertificates } = tls;
