import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** What a foreign server has when it is ready: a listening port of IPv4, a UDP port of IPv4, or a path. */
export type Bound = { readonly tcp: number } | { readonly udp: number } | { readonly path: string };

/** Waits until a foreign server has bound its path, or its port shows in the system's table. */
export async function untilBound(bound: Bound, signal?: AbortSignal): Promise<void> {
  while (!isBound(bound)) await delay(10, undefined, { signal });
}

function isBound(bound: Bound): boolean {
  if ('path' in bound) return existsSync(bound.path);
  const [table, port, state] =
    'tcp' in bound ? (['tcp', bound.tcp, '0A'] as const) : (['udp', bound.udp, '07'] as const);
  const key = `:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 ${state}`;
  return readFileSync(`/proc/net/${table}`, 'latin1').includes(key);
}
