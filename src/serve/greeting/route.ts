import { errorCode } from '../../errors.ts';
import { HELLO_LIMIT_BYTES } from '../../protocol/client-hello.ts';
import type { ReadGreeting } from './greeting.ts';
import { HeadReader } from './head-reader.ts';
import { findRoute, type RoutePattern } from './route-match.ts';

/**
 * Looks at a client's first bytes until they show which of the patterns they match, and leaves them in the stream.
 * A client that says too little within the limit matches none: it may be waiting for its server to speak first.
 * With `mayBeSilent`, so may one that has ended its side without sending a byte. See ReadGreeting.
 */
export function createRouteReader(
  patterns: readonly RoutePattern[],
  { mayBeSilent }: { readonly mayBeSilent: boolean },
): ReadGreeting {
  return async (client, soFar, limits) => {
    const reader = new HeadReader(client, limits, soFar);
    const head: { bytes: Buffer } = { bytes: Buffer.alloc(0) };
    const route = await look(reader, patterns, head, mayBeSilent);
    return { ...soFar, route, ...reader.finish(head.bytes) };
  };
}

async function look(
  reader: HeadReader,
  patterns: readonly RoutePattern[],
  head: { bytes: Buffer },
  mayBeSilent: boolean,
): Promise<RoutePattern | undefined> {
  try {
    while (head.bytes.length <= HELLO_LIMIT_BYTES) {
      const found = findRoute(patterns, head.bytes);
      if (found !== 'need-more') return found;
      const chunk = await reader.nextOfGreeting({ mayEnd: mayBeSilent });
      if (!chunk) return undefined;
      head.bytes = Buffer.concat([head.bytes, chunk]);
    }
  } catch (error) {
    if (errorCode(error) !== 'TNET_E_TIMEOUT') throw error;
  }
  return undefined;
}
