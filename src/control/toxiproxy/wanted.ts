import type { WrittenSettings } from '../steered.ts';
import { badBody, missingField } from './errors.ts';
import { readFields, readFlag, readText, type Fields } from './fields.ts';

/** Where a proxy is to listen and to lead. */
export interface WantedPlace {
  readonly listen?: string | undefined;
  readonly upstream?: string | undefined;
}

/** What a proxy is to be changed to; what is absent stays. */
export interface WantedChange extends WantedPlace {
  readonly enabled?: boolean | undefined;
  /** What toxiproxy's proxies have not, under the names of a configuration file. */
  readonly settings: WrittenSettings;
}

/** A proxy that is asked for. */
export interface WantedProxy extends Required<WantedChange> {
  readonly name: string;
  readonly listen: string;
  readonly upstream: string;
  readonly enabled: boolean;
}

/** Reads a proxy that is to be made; it is enabled unless it says otherwise. @throws ToxiproxyError 400 */
export function readWanted(body: unknown, place = ''): WantedProxy {
  const fields = readFields(body, `a proxy${place}`);
  const name = readText(fields, 'name') ?? '';
  const { listen = '', upstream = '', enabled = true, settings } = readChanges(fields);
  if (name === '') throw missingField(`name${place}`);
  // By other settings, clients may name their targets themselves.
  if (upstream === '' && Object.keys(settings).length === 0) throw missingField(`upstream${place}`);
  return { name, listen, upstream, enabled, settings };
}

/** Reads a list of such proxies, all of them before the first is made. @throws ToxiproxyError 400 */
export function readList(body: unknown): WantedProxy[] {
  if (!Array.isArray(body)) throw badBody('expected a list of proxies');
  return body.map((one: unknown, index) => readWanted(one, ` at proxy ${index + 1}`));
}

/** Reads what a proxy is to be changed to. @throws ToxiproxyError 400 */
export function readChange(body: unknown): WantedChange {
  const { listen, upstream, ...change } = readChanges(readFields(body));
  // An empty address is none, as some clients send all fields.
  return {
    ...change,
    listen: listen === '' ? undefined : listen,
    upstream: upstream === '' ? undefined : upstream,
  };
}

function readChanges(fields: Fields): WantedChange {
  return {
    listen: readText(fields, 'listen'),
    upstream: readText(fields, 'upstream'),
    enabled: readFlag(fields, 'enabled'),
    settings: readSettings(fields),
  };
}

/** Of a setting, null takes away what there was. */
function readSettings({ settings }: Fields): WrittenSettings {
  if (settings === undefined) return {};
  if (typeof settings !== 'object' || Array.isArray(settings))
    throw badBody('expected an object as settings');
  return settings as WrittenSettings;
}
