import { closeSync } from 'node:fs';
import net from 'node:net';
import type { ListeningHandle } from './handles.ts';
import { keepParked, parkListener, useListenerParking, type ParkListener } from './listener-parking.ts';
import { internals, kState } from './server-state.ts';
import type { Server } from './server.ts';

/** A listening socket on which somebody else accepts in a server's place. */
export interface ListenerLoan {
  /** Open until `giveBack`. */
  readonly fd: number;
  /** The server accepts again, if it is still listening. */
  giveBack(): void;
}

/** Makes a new descriptor for the same open file, as an addon can. */
export type Duplicate = (fd: number) => number;

/**
 * Has a server stop accepting without losing a waiting connection, and lends its listening socket. The server's
 * address, its events and its close() stay as they are; it has to be closed as ever.
 *
 * @returns undefined when the server is not listening, or on no socket of its own
 */
export function lendListener(server: Server, duplicate: Duplicate): ListenerLoan | undefined {
  const { gate } = server[kState];
  const { _handle: handle } = internals(server);
  if (!gate || !handle || handle.fd < 0) return undefined;
  const fd = duplicate(handle.fd);
  const earlier = parkListener;
  useListenerParking(createDuplicateParking(duplicate));
  const isParked = gate.shutIfParked('lent');
  useListenerParking(earlier);
  const giveBack = () => {
    closeSync(fd);
    gate.open('lent');
  };
  if (isParked) return { fd, giveBack };
  closeSync(fd);
  return undefined;
}

const { _createServerHandle: createServerHandle } = net as unknown as {
  _createServerHandle: (address: null, port: null, addressType: null, fd: number) => ListeningHandle | number;
};

/** Parks listeners of every kind: a duplicate of the descriptor keeps the socket when the handle is closed. */
function createDuplicateParking(duplicate: Duplicate): ParkListener {
  return (handle) => {
    const fd = tryTo(() => duplicate(handle.fd));
    if (fd === undefined) return undefined;
    const opened = createServerHandle(null, null, null, fd);
    if (typeof opened === 'number') {
      closeSync(fd);
      return undefined;
    }
    const hadRef = handle.hasRef();
    handle.close();
    return keepParked(opened, hadRef);
  };
}

function tryTo<Value>(action: () => Value): Value | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}
