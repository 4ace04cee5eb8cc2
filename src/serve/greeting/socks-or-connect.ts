import type { ReadGreeting } from './greeting.ts';
import { HeadReader } from './head-reader.ts';
import { createConnectReader } from './http-connect.ts';
import { createSocksReader } from './socks.ts';
import type { Users } from './users.ts';

/** Lets clients name their target by SOCKS or by CONNECT, whichever the first byte tells. See ReadGreeting. */
export function createSocksOrConnectReader(users: Users | undefined): ReadGreeting {
  const [readSocks, readConnect] = [createSocksReader(users), createConnectReader(users)];
  return async (client, soFar, limits) => {
    const reader = new HeadReader(client, limits, soFar);
    const chunk = (await reader.nextOfGreeting()) ?? Buffer.alloc(0);
    const next = { ...soFar, ...reader.finish(chunk) };
    const isSocks = chunk[0] === 4 || chunk[0] === 5;
    return isSocks ? readSocks(client, next, limits) : readConnect(client, next, limits);
  };
}
