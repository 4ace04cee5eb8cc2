import { readFile } from 'node:fs/promises';
import { TnetError } from '../../src/errors.ts';
import type { Pair } from '../../src/handlers/relay/pair.ts';
import type { WrittenSettings } from '../../src/control/steered.ts';
import { readPair, type ReadPairOptions, type WrittenPair } from './pair.ts';

/** A pair with its name, and with what it was read from. */
export interface NamedPair {
  /** Unique among those that were read with it. Default: its listen address as written. */
  readonly name: string;
  /** As written, without the name, and with what the command line says. */
  readonly settings: WrittenSettings;
  readonly pair: Pair;
}

/** What the command line says about the pairs of a file. */
export interface SharedOptions extends Pick<ReadPairOptions, 'family' | 'modes'> {
  /** What every pair has unless it says otherwise, as written. */
  readonly values?: Readonly<Record<string, unknown>>;
}

/**
 * Reads a configuration file (docs/proxy-config.schema.json) as a whole: with one mistake, nothing of it is used.
 *
 * @throws TnetError TNET_E_CONFIG whose subject says where: `file: /pairs/0/latency`. The system's error when the
 *   file cannot be read.
 */
export async function readConfigFile(path: string, shared: SharedOptions): Promise<NamedPair[]> {
  return readConfig(await readFile(path, 'utf8'), path, shared);
}

/** Reads a configuration from its text; see readConfigFile(). */
export function readConfig(text: string, path: string, shared: SharedOptions): NamedPair[] {
  const config = parseJson(text, path);
  const fail = (place: string, message: string) =>
    new TnetError('TNET_E_CONFIG', message, { subject: `${path}: ${place || '/'}` });
  const repeated = findRepeatedKey(text);
  if (repeated !== undefined) throw fail('', `${JSON.stringify(repeated)} appears twice in one object`);
  if (!isObject(config)) throw fail('', 'expected an object with pairs');
  for (const key of Object.keys(config)) {
    if (key !== 'pairs' && key !== '$schema') throw fail(`/${key}`, 'there is no such setting');
  }
  const { pairs } = config;
  if (!Array.isArray(pairs) || pairs.length === 0)
    throw fail('/pairs', 'expected a list of at least one pair');
  return readAll(pairs, (index) => `/pairs/${index}`, { ...shared, fail });
}

/**
 * Reads pairs as a configuration file has them, from a program.
 *
 * @param pairs one, or a list
 * @throws TnetError TNET_E_CONFIG whose subject says where: `/latency`, or `/1/latency` in a list
 */
export function readPairSettings(pairs: unknown, shared: SharedOptions = {}): NamedPair[] {
  const fail = (place: string, message: string) =>
    new TnetError('TNET_E_CONFIG', message, { subject: place || '/' });
  const list: readonly unknown[] = Array.isArray(pairs) ? pairs : [pairs];
  return readAll(list, (index) => (Array.isArray(pairs) ? `/${index}` : ''), { ...shared, fail });
}

interface ReadOptions extends SharedOptions {
  readonly fail: (place: string, message: string) => TnetError;
}

/** Reads pairs that are served side by side; `place` says where each stands. @throws what `fail` gives */
function readAll(
  pairs: readonly unknown[],
  place: (index: number) => string,
  options: ReadOptions,
): NamedPair[] {
  const names = pairs.map((pair, index) =>
    readName(pair, (part) => options.fail(`${place(index)}/name`, part)),
  );
  const taken = new Set<string>();
  for (const [index, name] of names.entries()) {
    if (name === undefined) continue;
    if (taken.has(name)) throw options.fail(`${place(index)}/name`, 'another pair has this name');
    taken.add(name);
  }
  return pairs.map((one, index) => {
    const { listen, targets, values } = toWritten(one, options.values ?? {}, (part) =>
      options.fail(`${place(index)}${part}`, 'expected a string'),
    );
    const name = names[index] ?? findFreeName(listen, taken);
    taken.add(name);
    const pair = readSettings({ listen, targets, values }, place(index), options);
    return { name, settings: { listen, targets, ...values }, pair: { ...pair, name } };
  });
}

/** Undefined: the pair has none of its own. */
function readName(pair: unknown, fail: (message: string) => TnetError): string | undefined {
  if (!isObject(pair) || pair['name'] === undefined) return undefined;
  const { name } = pair;
  if (typeof name !== 'string') throw fail('expected a string');
  if (name === '' || name.length > 200 || /[\0-\x1f\x7f]/.test(name))
    throw fail('expected a name of 1 to 200 characters, none of them a control character');
  return name;
}

/** Several pairs may listen on a free port of one address. */
export function findFreeName(wanted: string, taken: ReadonlySet<string>): string {
  let name = wanted;
  for (let nth = 2; taken.has(name); nth++) name = `${wanted} ${nth}`;
  return name;
}

/** Reads one pair; `place` is where it stands. @throws what `fail` gives */
function readSettings(written: WrittenPair, place: string, { fail, family, modes }: ReadOptions): Pair {
  try {
    return readPair(written, { family, modes, name: (part) => `${place}/${part}` });
  } catch (error) {
    if (!(error instanceof TnetError) || error.code === 'TNET_E_CONFIG') throw error;
    throw fail(error.subject ?? place, error.message);
  }
}

function toWritten(
  pair: unknown,
  shared: Readonly<Record<string, unknown>>,
  fail: (part: string) => TnetError,
): WrittenPair {
  if (!isObject(pair)) throw fail('');
  const { listen, targets = [], ...others } = pair;
  const values = Object.fromEntries(Object.entries(others).filter(([name]) => name !== 'name'));
  if (typeof listen !== 'string') throw fail('/listen');
  if (!Array.isArray(targets)) throw fail('/targets');
  targets.forEach((target, index) => {
    if (typeof target !== 'string') throw fail(`/targets/${index}`);
  });
  return { listen, targets: targets as string[], values: { ...shared, ...values } };
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    // Without the piece of the file that JavaScript shows: it may be half an address with a password.
    const message = (error as Error).message
      .replace(/\s+/g, ' ')
      .replace(/, (?:\.{3})?".* is not valid JSON$/, '');
    throw new TnetError('TNET_E_CONFIG', `not JSON: ${message}`, { subject: path, cause: error });
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The first key that an object of a JSON text has twice: JSON.parse() silently takes the last of them.
 *
 * @param json a text that JSON.parse() accepts
 */
export function findRepeatedKey(json: string): string | undefined {
  /** The keys so far of each object that is open; undefined means a list. */
  const open: (Set<string> | undefined)[] = [];
  for (const [token, text, colon] of json.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\]]/gs)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    if (text === undefined || colon === undefined) continue;
    const key = JSON.parse(text) as string;
    const keys = open.at(-1);
    if (keys?.has(key)) return key;
    keys?.add(key);
  }
  return undefined;
}
