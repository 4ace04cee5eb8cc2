/** Header fields as Node's parser gives them: name, value, name, value, …, in their order and case. */
export type RawFields = readonly string[];

/** Fields that are about one connection, whether or not Connection names them. Source: RFC 9110 section 7.6.1. */
const hopByHop = new Set([
  'connection',
  'proxy-connection',
  'keep-alive',
  'te',
  'transfer-encoding',
  'upgrade',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
]);

/** The values of a field, in their order. */
export function fieldValues(fields: RawFields, name: string): string[] {
  return fields.filter((_, index) => index % 2 === 1 && fields[index - 1]?.toLowerCase() === name);
}

/** The fields that are for the other end, without those about the connection. */
export function endToEndFields(fields: RawFields): string[] {
  const named = fieldValues(fields, 'connection').flatMap((value) =>
    value.split(',').map((option) => option.trim().toLowerCase()),
  );
  const dropped = new Set([...hopByHop, ...named]);
  // Without its length a message would end elsewhere, and without Host it would be for another server.
  for (const name of ['content-length', 'host']) dropped.delete(name);
  return fields.filter((_, index) => !dropped.has(fields[index - (index % 2)]?.toLowerCase() ?? ''));
}

/** Adds a proxy to the way that a message has taken. Source: RFC 9110 section 7.6.3. */
export function withVia(fields: RawFields, httpVersion: string): string[] {
  const before = fieldValues(fields, 'via');
  const rest = fields.filter((_, index) => fields[index - (index % 2)]?.toLowerCase() !== 'via');
  return [...rest, 'Via', [...before, `${httpVersion} tnet`].join(', ')];
}

/** Names the server that a message is for, in the place of what the client said: RFC 9112 section 3.2.2. */
export function withHost(fields: RawFields, authority: string): string[] {
  const rest = fields.filter((_, index) => fields[index - (index % 2)]?.toLowerCase() !== 'host');
  return ['Host', authority, ...rest];
}

/** How the end of a message is found: by its length, in chunks, not at all, or by something that is not understood. */
export function findFraming(fields: RawFields): 'length' | 'chunked' | 'none' | 'unknown' {
  const codings = fieldValues(fields, 'transfer-encoding');
  if (codings.length > 0) return codings.join().trim().toLowerCase() === 'chunked' ? 'chunked' : 'unknown';
  return fieldValues(fields, 'content-length').length > 0 ? 'length' : 'none';
}

/** Pairs of a name and a value, as Node takes trailers. */
export function toPairs(fields: RawFields): [string, string][] {
  return fields.flatMap((name, index) => (index % 2 === 0 ? [[name, fields[index + 1] ?? '']] : []));
}
