import { hideUserInfo, TnetError } from '../../../errors.ts';
import type { TargetSettings } from './target-settings.ts';

/** The greatest weight. As in haproxy. */
const mostWeight = 256;

const numbers: Readonly<Record<string, number>> = { weight: mostWeight, max: Number.MAX_SAFE_INTEGER };

/**
 * Takes the settings off the end of a target as it is written. What only looks like settings, such as a comma in a
 * path, stays.
 *
 * @throws TnetError TNET_E_USAGE for a value that cannot be, and for a setting that is given twice
 */
export function splitSettings(text: string): {
  readonly address: string;
  readonly settings: TargetSettings | undefined;
} {
  const [, address = '', words = ''] = /^(.*?)((?:,(?:(?:weight|max)=[^,/]*|backup))*)$/s.exec(text) ?? [];
  if (words === '') return { address: text, settings: undefined };
  const settings = new Map<string, number | true>();
  for (const word of words.slice(1).split(',')) {
    const [name = '', value] = word.split('=');
    if (settings.has(name)) throw settingError(text, `${name} is given twice`);
    settings.set(name, value === undefined ? true : readNumber(text, word, value));
  }
  return { address, settings: Object.fromEntries(settings) };
}

function readNumber(text: string, word: string, value: string): number {
  const most = numbers[word.split('=')[0] ?? ''] ?? 0;
  const number = /^\d+$/.test(value) ? Number(value) : 0;
  if (number >= 1 && number <= most) return number;
  const range = most === mostWeight ? `from 1 to ${most}` : 'of at least 1';
  throw settingError(text, `${word}: expected a whole number ${range}`);
}

/** As it is written behind a target; '' for none. */
export function formatSettings(settings: TargetSettings = {}): string {
  return Object.entries(settings)
    .map(([name, value]) => `,${name}${value === true ? '' : `=${String(value)}`}`)
    .join('');
}

/**
 * The targets of a list with commas, each with its settings: `a:80,weight=2,b:80` is `a:80,weight=2` and `b:80`.
 */
export function splitTargets(text: string): string[] {
  const targets: string[] = [];
  for (const word of text.split(',')) {
    // No target is written so, unless it is a path.
    const isSetting = /^(?:[a-z-]+=[^/]*|backup)$/.test(word);
    const last = isSetting ? targets.pop() : undefined;
    targets.push(last === undefined ? word : `${last},${word}`);
  }
  return targets;
}

/** The error for a word behind the comma of an address that can have none, if that is what is wrong with it. */
export function explainSettings(address: string): TnetError | undefined {
  const [, word] = /^[^/,]*,([^/]*)$/.exec(address) ?? [];
  if (word === undefined) return undefined;
  return settingError(address, `unknown setting ${word}: expected weight=N, max=N or backup`);
}

function settingError(subject: string, message: string): TnetError {
  return new TnetError('TNET_E_USAGE', message, { subject: hideUserInfo(subject) });
}
