import { once } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import type { Endpoint } from '../../src/address/endpoint.ts';
import { loadNativeAddon, nativeStatus } from '../../src/native/addon.ts';
import { bindDatagrams } from '../../src/net/message-binding.ts';
import type { Server } from '../../src/net/index.ts';
import { requireMessages } from '../../src/net/message-calls.ts';
import { PacketConnection } from '../../src/net/packet-connection.ts';
import { UnixDatagramSocket } from '../../src/net/unix-datagrams.ts';
import { acceptOther } from '../../src/serve/message-client.ts';
import { serve } from '../../src/serve/serve.ts';

/** `test` with the addon; else a skip, with the reason printed. */
export const testMessages = chooseTest();

function chooseTest(): typeof test | typeof test.skip {
  if (loadNativeAddon()) return test;
  console.log(`skipped: ${nativeStatus().reason ?? 'no addon'}`);
  return test.skip;
}

/** A message as a bound socket of Unix datagrams gets it. */
export interface Heard {
  readonly bytes: Buffer;
  readonly name: Buffer | undefined;
}

/** A bound socket of Unix datagrams. */
export function bindDatagramPeer(t: ExecutionContext, path: string) {
  const heard: Heard[] = [];
  let onHeard = (): void => undefined;
  const addon = requireMessages(path);
  const { fd } = bindDatagrams(addon, path);
  const socket = new UnixDatagramSocket(addon, fd, {
    onMessage([bytes, name]) {
      heard.push({ bytes, name });
      onHeard();
    },
    onError: (error) => t.log(error),
  });
  t.teardown(() => socket.close());
  return {
    heard,
    /** Settles when so many messages have come. */
    async until(count: number): Promise<readonly Heard[]> {
      while (heard.length < count) await new Promise<void>((resolve) => (onHeard = resolve));
      return heard;
    },
    send: (bytes: Buffer, to: Buffer | string) =>
      new Promise<void>((resolve, reject) =>
        socket.send(bytes, Buffer.from(to), (error) => (error ? reject(error) : resolve())),
      ),
  };
}

/** A server of Unix packets. */
/** @returns how to end it, and its next client */
export async function startPacketServer(
  t: ExecutionContext,
  endpoint: Extract<Endpoint, { kind: 'unix-seqpacket' }>,
): Promise<{ server: Server; accept: () => Promise<PacketConnection> }> {
  const waiting: PacketConnection[] = [];
  const open = new Set<PacketConnection>();
  const server = await serve(endpoint, {
    onConnection(client) {
      const connection = acceptOther(client, 'unix-seqpacket');
      if (!(connection instanceof PacketConnection)) throw new Error('no packets');
      open.add(connection);
      connection.on('error', () => undefined);
      waiting.push(connection);
      server.emit('tnet-accepted');
    },
  });
  t.teardown(() => {
    server.close();
    for (const one of open) one.destroy();
  });
  return {
    server,
    async accept(): Promise<PacketConnection> {
      while (waiting.length === 0) await once(server, 'tnet-accepted');
      return waiting.shift()!;
    },
  };
}
