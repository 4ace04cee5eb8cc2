import type { Socket } from '../../net/index.ts';
import { toTuning, type SocketValues } from '../../net/socket-values.ts';

/**
 * What sets a pair's options on a client's or a target's socket, as far as the socket has them: a Unix one has buffers
 * and lingering, and no packets. Undefined where the pair asks for none.
 *
 * @throws TnetError TNET_E_UNSUPPORTED without the addon
 */
export async function prepareTuner(values: SocketValues): Promise<((socket: Socket) => void) | undefined> {
  const tuning = toTuning(values);
  if (!tuning) return undefined;
  const { createTuner } = await import('../../net/socket-tuning.ts');
  const { rcvbuf, sndbuf, linger } = values;
  const ofTcp = createTuner(tuning);
  const ofUnix = createTuner(toTuning({ rcvbuf, sndbuf, linger }) ?? {});
  return (socket) => {
    const isUnix = socket.remoteAddress === undefined;
    (isUnix ? ofUnix : ofTcp)(socket);
  };
}
