import { lookup } from 'node:dns/promises';
import { formatHostPort } from '../../address/endpoint.ts';
import { splitTargets } from '../../handlers/relay/targets/settings.ts';
import type { WrittenSettings } from '../steered.ts';

/**
 * Where to listen, as tnet writes it. Two forms mean something else to toxiproxy than to tnet: a port without a host is
 * every address of this machine, and nothing at all is any port; that one is of loopback here.
 */
export function toListen(text: string): string {
  if (text === '') return '127.0.0.1:0';
  return /^:\d+$/.test(text) ? `[::]${text}` : text;
}

/** More than one target, which toxiproxy has not, is written with commas, each with its settings. */
export function toTargets(upstream: string): string[] {
  return splitTargets(upstream).filter((target) => target !== '');
}

export function targetsOf({ targets }: WrittenSettings): string[] {
  return Array.isArray(targets) ? targets.map(String) : [];
}

export function writtenListen({ listen }: WrittenSettings): string {
  return typeof listen === 'string' ? listen : '';
}

/** Whether an address is one of those, by its text or by what its name is looked up to. */
export async function isSamePlace(text: string, places: readonly string[]): Promise<boolean> {
  if (places.includes(text)) return true;
  const [, host, port] = /^([a-z][^:/]*):(\d+)$/i.exec(text) ?? [];
  if (host === undefined || port === undefined) return false;
  try {
    const found = await lookup(host, { all: true });
    return found.some(({ address }) => places.includes(formatHostPort(address, Number(port))));
  } catch {
    // Binding it will say why it cannot be.
    return false;
  }
}
