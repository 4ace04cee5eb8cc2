import { formatEndpoint, type Endpoint } from '../address/endpoint.ts';
import type { Server } from '../net/index.ts';
import { requireMessages } from '../net/message-calls.ts';
import { bindPackets, bindUnixPath } from '../net/message-binding.ts';
import { listenOn } from '../net/server.ts';
import { bindVsock } from '../net/vsock.ts';
import type { UnixFileSettings } from '../net/unix-listener.ts';
import { explainPathError } from './socket-file.ts';

type MessageEndpoint = Extract<Endpoint, { kind: 'unix-seqpacket' | 'vsock' }>;

/**
 * Binds an address of a kind that node:net has not, and lets the server accept there.
 *
 * @returns what has really been bound, as the user would write it
 * @throws the system's error, TnetError TNET_E_PATH_IN_USE, TNET_E_UNSUPPORTED without the addon
 */
export async function openMessageServer(
  server: Server,
  endpoint: MessageEndpoint,
  { mode, owner, backlog }: UnixFileSettings & { readonly backlog: number },
): Promise<string> {
  if (endpoint.kind === 'vsock') {
    const { handle, address } = bindVsock(endpoint);
    listenOn(server, { handle }, backlog);
    return formatEndpoint({ ...endpoint, ...address });
  }
  const { path } = endpoint;
  const addon = requireMessages(formatEndpoint(endpoint));
  try {
    const bound = await bindUnixPath({ path, mode, owner, backlog }, (name) => bindPackets(addon, name));
    listenOn(server, bound, backlog);
    return formatEndpoint(endpoint);
  } catch (error) {
    throw explainPathError(path, error);
  }
}
