import dgram from 'node:dgram';
import { once } from 'node:events';
import type { ExecutionContext } from 'ava';

/** What a name has: addresses, or services. */
export type Zone = Record<
  string,
  {
    readonly a?: readonly string[];
    readonly ttl?: number;
    readonly srv?: readonly { name: string; port: number; priority?: number }[];
  }
>;

/** A name server on loopback that answers A and SRV from a zone, which a test may change. */
export async function startDns(
  t: ExecutionContext,
  zone: Zone,
): Promise<{ address: string; asked: string[] }> {
  const asked: string[] = [];
  const socket = dgram.createSocket('udp4');
  socket.on('message', (query, { port }) => {
    const name = readName(query);
    const type = query.readUInt16BE(12 + name.length + 2);
    asked.push(`${name} ${type}`);
    socket.send(answer(query, name, zone[name], type), port, '127.0.0.1');
  });
  t.teardown(() => socket.close());
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return { address: `127.0.0.1:${socket.address().port}`, asked };
}

function readName(query: Buffer): string {
  const labels = [];
  for (let at = 12; query[at]! > 0; at += query[at]! + 1)
    labels.push(query.toString('latin1', at + 1, at + 1 + query[at]!));
  return labels.join('.').toLowerCase();
}

function encodeName(name: string): Buffer {
  const labels = name
    .split('.')
    .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([...labels, Buffer.from([0])]);
}

function answer(query: Buffer, name: string, entry: Zone[string] | undefined, type: number): Buffer {
  const ttl = entry?.ttl ?? 1;
  const records: Buffer[] = [];
  if (type === 1)
    for (const address of entry?.a ?? []) records.push(Buffer.from(address.split('.').map(Number)));
  if (type === 33) {
    for (const { name: host, port, priority = 0 } of entry?.srv ?? []) {
      const head = Buffer.alloc(6);
      head.writeUInt16BE(priority, 0);
      head.writeUInt16BE(port, 4);
      records.push(Buffer.concat([head, encodeName(host)]));
    }
  }
  const header = Buffer.from(query.subarray(0, 12));
  header.writeUInt16BE(entry ? 0x8180 : 0x8183, 2);
  header.writeUInt16BE(records.length, 6);
  header.writeUInt32BE(0, 8);
  const question = query.subarray(12, 12 + name.length + 2 + 4);
  const answers = records.map((data) => {
    const head = Buffer.alloc(12);
    head.writeUInt16BE(0xc00c, 0);
    head.writeUInt16BE(type, 2);
    head.writeUInt16BE(1, 4);
    head.writeUInt32BE(ttl, 6);
    head.writeUInt16BE(data.length, 10);
    return Buffer.concat([head, data]);
  });
  return Buffer.concat([header, question, ...answers]);
}
