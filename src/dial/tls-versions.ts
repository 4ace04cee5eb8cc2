/** The versions of TLS by number. 1.0 and 1.1 are broken, and only for old peers. Source: RFC 8996. */
export const tlsVersions = ['1.0', '1.1', '1.2', '1.3'] as const;

export type TlsVersion = (typeof tlsVersions)[number];
