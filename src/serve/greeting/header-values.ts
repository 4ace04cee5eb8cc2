import type { ProxySsl, ProxyValue } from '../../protocol/proxy-protocol/header.ts';
import type { Event } from '../../report/events.ts';

/** What a PROXY header said beyond the addresses, as it is reported. */
type ReportedValues = Omit<Extract<Event, { event: 'client' }>, 'event' | 'id' | 'remote' | 'client'>;

/** Of two values of a type, the last one counts. */
export function describeValues(values: readonly ProxyValue[]): ReportedValues {
  const others = values.filter((value) => value.type === 'other').map(({ code }) => formatCode(code));
  const parts = values.map(describeValue);
  return Object.assign({}, ...parts, others.length > 0 && { others }) as ReportedValues;
}

function describeValue(value: ProxyValue): ReportedValues {
  switch (value.type) {
    case 'alpn':
      return { alpn: value.protocol };
    case 'authority':
      return { authority: value.name };
    case 'netns':
      return { netns: value.name };
    case 'unique-id':
      return { uniqueId: formatId(value.bytes) };
    case 'crc32c':
      return { checksum: true };
    case 'ssl':
      return describeSsl(value.ssl);
    case 'other':
      return {};
  }
}

function describeSsl({
  isTls,
  hasSessionCertificate,
  verify,
  version,
  cipher,
  commonName,
}: ProxySsl): ReportedValues {
  return {
    ...(isTls && { tls: version ?? 'TLS' }),
    ...(cipher !== undefined && { cipher }),
    ...(commonName !== undefined && { commonName }),
    ...(hasSessionCertificate && { verified: verify === 0 }),
  };
}

function formatId(bytes: Buffer): string {
  const text = bytes.toString('latin1');
  return /^[\x21-\x7e]+$/.test(text) ? text : `0x${bytes.toString('hex')}`;
}

function formatCode(code: number): string {
  return `0x${code.toString(16).padStart(2, '0')}`;
}
