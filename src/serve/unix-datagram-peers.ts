import { formatEndpoint, type Endpoint } from '../address/endpoint.ts';
import type { NativeAddon } from '../native/addon.ts';
import { PeerServer, type DatagramServerOptions } from '../net/datagram-server.ts';
import { bindDatagrams, bindUnixInPlace, type BoundUnix } from '../net/message-binding.ts';
import { requireMessages } from '../net/message-calls.ts';
import { createUnixCarrier } from '../net/unix-datagrams.ts';
import {
  changeUnixFile,
  keepUnixListener,
  releaseUnixListener,
  type UnixFileSettings,
} from '../net/unix-listener.ts';
import { explainPathError, requireSocketFile } from './socket-file.ts';

export type UnixDatagramEndpoint = Extract<Endpoint, { kind: 'unix-dgram' }>;

/** A bound socket of Unix datagrams. Its owner closes the descriptor, and calls `release` right before that. */
export interface BoundUnixDatagrams {
  readonly addon: NativeAddon;
  readonly fd: number;
  readonly address: string;
  readonly release: () => void;
  readonly changeFile: (settings: UnixFileSettings) => void;
}

/**
 * Binds a socket of Unix datagrams.
 *
 * @throws the system's error, TnetError TNET_E_PATH_IN_USE, TNET_E_USAGE for a mode without a file, TNET_E_UNSUPPORTED
 *   without the addon
 */
export async function bindUnixDatagrams(
  endpoint: UnixDatagramEndpoint,
  { mode, owner }: UnixFileSettings,
): Promise<BoundUnixDatagrams> {
  if (mode !== undefined || owner) requireSocketFile(endpoint);
  const address = formatEndpoint(endpoint);
  const addon = requireMessages(address);
  const { handle, unix } = await bindPath(addon, endpoint.path, { mode, owner });
  if (unix) keepUnixListener(unix);
  return {
    addon,
    fd: handle.fd,
    address,
    release() {
      if (unix) releaseUnixListener(unix)();
    },
    changeFile: (settings) => {
      if (unix) changeUnixFile(unix, settings);
    },
  };
}

async function bindPath(addon: NativeAddon, path: string, settings: UnixFileSettings): Promise<BoundUnix> {
  try {
    return await bindUnixInPlace({ path, ...settings, backlog: 1 }, (name) => bindDatagrams(addon, name));
  } catch (error) {
    throw explainPathError(path, error);
  }
}

/** Binds a socket of Unix datagrams with the server of its peers. @throws as bindUnixDatagrams() does */
export async function bindUnixPeers(
  endpoint: UnixDatagramEndpoint,
  settings: UnixFileSettings,
  options: Omit<DatagramServerOptions<unknown>, 'onRefused'> & {
    readonly onRefused: (remote: string, reason: string) => void;
  },
) {
  const { addon, fd, address, release, changeFile } = await bindUnixDatagrams(endpoint, settings);
  const carrier = createUnixCarrier(addon, fd, address, release);
  const server = new PeerServer(carrier, {
    ...options,
    onRefused: (sender, reason) => options.onRefused(carrier.nameOf(sender), reason),
  });
  return { server, address, changeFile };
}
