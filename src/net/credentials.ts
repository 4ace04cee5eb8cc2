import { loadNativeAddon, type NativeAddon } from '../native/addon.ts';
import type { Credentials } from '../native/messages.ts';
import type { Connection } from './connection.ts';
import { Socket } from './index.ts';
import { descriptorOf } from './tuning.ts';

/** Who the process at the other end of a Unix socket is; undefined for any other peer, and where the system does not tell. */
export function credentialsOf(client: Connection): Credentials | undefined {
  if (client.credentials) return client.credentials;
  if (client.remoteAddress !== undefined || !(client instanceof Socket)) return undefined;
  const addon = loadNativeAddon();
  const fd = descriptorOf(client);
  return addon && fd !== undefined ? readCredentials(addon, fd) : undefined;
}

/** Those of a connected Unix socket. Another kind of socket answers with pid 0, or not at all. */
export function readCredentials(addon: NativeAddon, fd: number): Credentials | undefined {
  try {
    const [pid, uid, gid] = addon.peerCredentials(fd);
    return pid > 0 ? { pid, uid, gid } : undefined;
  } catch {
    return undefined;
  }
}
