import { errorCode } from '../errors.ts';
import { HELLO_LIMIT_BYTES } from '../protocol/tls-hello/index.ts';
import type { Socket } from '../net/index.ts';
import { HeadReader } from './head-reader.ts';
import type { Intake } from './intake.ts';
import type { Route } from './route.ts';
import { findRoute } from './route-match.ts';

/**
 * Looks at a client's first bytes until they show which route it takes, and leaves them in the stream. A client that
 * says too little within the limit takes none: it may be waiting for its server to speak first.
 *
 * @throws the socket's error
 */
export async function chooseRoute(
  client: Socket,
  known: Intake,
  routes: readonly Route[],
  limitMs: number,
): Promise<{ readonly route: Route | undefined; readonly known: Intake }> {
  const reader = new HeadReader(client, limitMs, known);
  const head: { bytes: Buffer } = { bytes: Buffer.alloc(0) };
  const route = await look(reader, routes, head);
  return { route, known: { ...known, ...reader.finish(head.bytes) } };
}

async function look(
  reader: HeadReader,
  routes: readonly Route[],
  head: { bytes: Buffer },
): Promise<Route | undefined> {
  try {
    while (head.bytes.length <= HELLO_LIMIT_BYTES) {
      const found = findRoute(routes, head.bytes);
      if (found !== 'need-more') return found;
      const chunk = await reader.next();
      if (!chunk) return undefined;
      head.bytes = Buffer.concat([head.bytes, chunk]);
    }
  } catch (error) {
    if (errorCode(error) !== 'TNET_E_TIMEOUT') throw error;
  }
  return undefined;
}
