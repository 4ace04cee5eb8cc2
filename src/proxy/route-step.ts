import { errorCode } from '../errors.ts';
import { HELLO_LIMIT_BYTES } from '../protocol/client-hello.ts';
import type { Socket } from '../net/index.ts';
import { HeadReader } from './head-reader.ts';
import type { Intake } from './intake.ts';
import type { Route } from './route.ts';
import { findRoute } from './route-match.ts';

/**
 * Looks at a client's first bytes until they show which route it takes, and leaves them in the stream. A client that
 * says too little within the limit takes none: it may be waiting for its server to speak first. So may one that has
 * ended its side without a byte, where clients without a route have a target.
 *
 * @throws SaidNothing for a client that leaves without a word, or the socket's error
 */
export async function chooseRoute(
  client: Socket,
  known: Intake,
  routes: readonly Route[],
  { limitMs, hasDefault }: { readonly limitMs: number; readonly hasDefault: boolean },
): Promise<{ readonly route: Route | undefined; readonly known: Intake }> {
  const reader = new HeadReader(client, limitMs, known);
  const head: { bytes: Buffer } = { bytes: Buffer.alloc(0) };
  const route = await look(reader, routes, head, hasDefault);
  return { route, known: { ...known, ...reader.finish(head.bytes) } };
}

async function look(
  reader: HeadReader,
  routes: readonly Route[],
  head: { bytes: Buffer },
  mayBeSilent: boolean,
): Promise<Route | undefined> {
  try {
    while (head.bytes.length <= HELLO_LIMIT_BYTES) {
      const found = findRoute(routes, head.bytes);
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
