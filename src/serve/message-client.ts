import { closeSync } from 'node:fs';
import type { NativeAddon } from '../native/addon.ts';
import type { Connection } from '../net/connection.ts';
import type { Socket } from '../net/index.ts';
import { requireMessages } from '../net/message-calls.ts';
import { PacketConnection } from '../net/packet-connection.ts';
import { descriptorOf } from '../net/tuning.ts';
import { nameVsockPeer } from '../net/vsock.ts';

/**
 * An accepted client as its connection: a client of packets gets one that keeps them apart, on a descriptor of its own.
 * The socket that was accepted stays open as long, and so keeps its place among the server's connections.
 *
 * @throws the system's error, when there is no descriptor left
 */
export function acceptOther(client: Socket, kind: 'unix-seqpacket' | 'vsock'): Connection {
  const addon = requireMessages(kind);
  const fd = descriptorOf(client);
  if (fd === undefined) return client;
  if (kind === 'vsock') {
    const peerName = nameVsockPeer(addon, fd);
    return peerName === undefined ? client : Object.assign(client, { peerName });
  }
  const connection = openPackets(addon, addon.duplicate(fd));
  client.on('error', () => undefined);
  connection.once('close', () => client.destroy());
  return connection;
}

function openPackets(addon: NativeAddon, fd: number): PacketConnection {
  try {
    return new PacketConnection(addon, fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
