import { TnetError } from '../errors.ts';

/** The members of a JSON object that a request brought. */
export type Fields = Readonly<Record<string, unknown>>;

/**
 * The body of a request, which is an object of known members.
 *
 * @throws TnetError TNET_E_CONFIG whose subject is a member that is not known
 */
export function readFields(body: unknown, known: readonly string[], place = ''): Fields {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw wrong(place || '/', 'expected an object');
  const unknown = Object.keys(body).find((name) => !known.includes(name));
  if (unknown !== undefined) throw wrong(`${place}/${unknown}`, `expected one of ${known.join(', ')}`);
  return body as Fields;
}

/** Undefined: it is not there. @throws TnetError TNET_E_CONFIG */
export function readText(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  if (value !== undefined && typeof value !== 'string') throw wrong(`/${name}`, 'expected a string');
  return value;
}

/** Undefined: it is not there. @throws TnetError TNET_E_CONFIG */
export function readBoolean(fields: Fields, name: string): boolean | undefined {
  const value = fields[name];
  if (value !== undefined && typeof value !== 'boolean') throw wrong(`/${name}`, 'expected true or false');
  return value;
}

/** Undefined: it is not there. @throws TnetError TNET_E_CONFIG */
export function readObject(fields: Fields, name: string): Fields | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw wrong(`/${name}`, 'expected an object');
  return value as Fields;
}

/** `?cut=true`. @throws TnetError TNET_E_CONFIG */
export function readSwitch(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  if (value === null || value === 'false') return false;
  if (value === '' || value === 'true') return true;
  throw wrong(`?${name}`, 'expected true or false');
}

/** Settings are named from the body on: `/settings/latency`. @returns never: throws */
export function within(place: string, error: unknown): never {
  if (!(error instanceof TnetError) || error.subject === undefined) throw error;
  if (error.code !== 'TNET_E_CONFIG' && error.code !== 'TNET_E_USAGE') throw error;
  const subject = `${place}${error.subject.startsWith('/') ? '' : '/'}${error.subject}`;
  throw new TnetError(error.code, error.message, { subject, cause: error });
}

export function wrong(subject: string, message: string): TnetError {
  return new TnetError('TNET_E_CONFIG', message, { subject });
}
