import { badBody } from './errors.ts';

/** The fields of a body. As toxiproxy has it, null is the same as a field that is not there. */
export type Fields = Readonly<Record<string, unknown>>;

/** @throws ToxiproxyError 400 */
export function readFields(value: unknown, what = 'the body'): Fields {
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw badBody(value === undefined ? 'EOF' : `expected an object as ${what}`);
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== null));
}

/** @throws ToxiproxyError 400 */
export function readText(fields: Fields, name: string): string | undefined {
  const value = fields[name];
  if (value !== undefined && typeof value !== 'string') throw badBody(`expected a string as ${name}`);
  return value;
}

/** @throws ToxiproxyError 400 */
export function readFlag(fields: Fields, name: string): boolean | undefined {
  const value = fields[name];
  if (value !== undefined && typeof value !== 'boolean') throw badBody(`expected true or false as ${name}`);
  return value;
}

/** @throws ToxiproxyError 400 */
export function readNumber(fields: Fields, name: string): number | undefined {
  const value = fields[name];
  if (value !== undefined && typeof value !== 'number') throw badBody(`expected a number as ${name}`);
  return value;
}
