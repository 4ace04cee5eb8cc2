import { list, text, toggle, type SettingTable, type ValuesOf } from './setting.ts';

const asIs = (word: string) => word;

/** TLS of a proxy: with its clients, with its targets, or both. */
export const secureSettings = {
  tlsIn: toggle('--tls-in', 'speak TLS with clients'),
  tlsCert: text('--tls-cert <file>', 'the certificate that clients see, in PEM', asIs),
  tlsKey: text('--tls-key <file>', "its key, in PEM; without it in the certificate's file", asIs),
  tlsOut: toggle('--tls-out', 'speak TLS with targets, their certificates verified'),
  tlsCa: text('--tls-ca <file>', 'trust these authorities for targets, in PEM', asIs),
  tlsServername: text('--tls-servername <name>', 'ask targets for this name, and verify it', asIs),
  tlsInsecure: toggle('--tls-insecure', 'do not verify the certificates of targets'),
  tlsAlpn: list('--tls-alpn <protocol>', 'an ALPN protocol to offer or accept; may be repeated', asIs),
} as const satisfies SettingTable;

export type SecureValues = ValuesOf<typeof secureSettings>;
