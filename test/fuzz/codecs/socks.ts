import { decodeSocksDatagram, encodeSocksDatagram } from '../../../src/protocol/socks/address.ts';
import { SocksClient } from '../../../src/protocol/socks/client.ts';
import {
  SocksServer,
  type SocksServerOptions,
  type SocksServerStep,
} from '../../../src/protocol/socks/server.ts';
import type { SocksClientOptions } from '../../../src/protocol/socks/messages.ts';
import { describeError, Finding, type CodecTarget } from '../../helpers/protocol/codec-target.ts';
import { hex, latin1 } from '../../helpers/protocol/hex.ts';
import { runHandshake } from '../../helpers/protocol/run-handshake.ts';

const HANDSHAKE_BYTES = 600;

function clientTarget(name: string, options: SocksClientOptions, seeds: readonly Buffer[]): CodecTarget {
  const run = (chunks: readonly Buffer[]) => {
    const outcome = runHandshake(new SocksClient(options), chunks, HANDSHAKE_BYTES, (step) => ({
      send: step.send,
      notes: [step.listening, step.done?.boundAddress].filter((note) => note !== undefined),
      rest: step.done?.rest,
    })) as { error?: object };
    // A client that has failed sends nothing more, so what it sent before depends on when the failure was seen.
    return outcome.error ? { error: outcome.error } : outcome;
  };
  return { name, seeds, run };
}

function serverTarget(name: string, options: SocksServerOptions, seeds: readonly Buffer[]): CodecTarget {
  const run = (chunks: readonly Buffer[]) => {
    const server = new SocksServer(options);
    const sends: Buffer[] = [];
    const note = (step: SocksServerStep) => {
      if (step.send) sends.push(step.send);
      return step;
    };
    const receive = (chunk: Buffer) => {
      const step = note(server.receive(chunk));
      return step.credentials ? note(server.accept()) : step;
    };
    const codec = {
      receive,
      get bufferedBytes() {
        return server.bufferedBytes;
      },
    };
    const outcome = runHandshake(codec, chunks, HANDSHAKE_BYTES, (step) => {
      const { rest, ...request } = step.request ?? {};
      return { notes: step.request ? [request] : [], rest };
    }) as { sends: string };
    return { ...outcome, sends: Buffer.concat(sends).toString('hex') + outcome.sends };
  };
  return { name, seeds, run };
}

function runDatagram(chunks: readonly Buffer[]): unknown {
  const bytes = Buffer.concat(chunks);
  try {
    const { data, ...from } = decodeSocksDatagram(bytes);
    const again = decodeSocksDatagram(encodeSocksDatagram({ ...from, data }));
    if (again.host !== from.host || !again.data.equals(data))
      throw new Finding('does not survive a round trip');
    return { ...from, data: data.toString('hex') };
  } catch (error) {
    return describeError(error);
  }
}

const target = { host: 'example.com', port: 80 };
const name5 = hex('03 0b 6578616d706c652e636f6d 0050');

export const socksTargets: CodecTarget[] = [
  clientTarget('socks5-client', { version: '5', ...target, user: 'u', password: 'p' }, [
    hex('0500 05000001c00002010438 737373'),
    hex('0502 0100 05000003 03 616263 0050 0000'),
    hex('0502 0100 05000004 20010db8000000000000000000000001 0050'),
    hex('0502 0101'),
    hex('05ff'),
    hex('0500 0505'),
  ]),
  clientTarget('socks4-client', { version: '4a', command: 'bind', ...target }, [
    hex('005a0050c0000201 005a0051c0000202 6869'),
    hex('045a0050c0000201 005b0000'),
    hex('005d000000000000'),
  ]),
  serverTarget('socks5-server', { authentication: 'password' }, [
    Buffer.concat([hex('050102 01 01 75 01 70 050100'), name5, latin1('GET /')]),
    hex('05020002 01 03 616263 03 646566 050300 01 00000000 0000'),
    hex('050100'),
    hex('0401005000000001 7500 6100'),
  ]),
  serverTarget('socks-open-server', { authentication: 'none' }, [
    Buffer.concat([hex('050100 050100'), name5, latin1('GET /')]),
    hex('05020002 050200 04 20010db8000000000000000000000001 0050'),
    hex('04010050 c0000201 7500 6869'),
    Buffer.concat([hex('04010050 00000001 7573657200'), latin1('example.com\0more')]),
    Buffer.concat([hex('04010050 00000001'), Buffer.alloc(300, 65)]),
    hex('050100 050400 01 00000000 0000'),
  ]),
  {
    name: 'socks-datagram',
    seeds: [
      hex('000000 01 c0000201 0035 6869'),
      Buffer.concat([hex('000000'), name5]),
      hex('000001 01 c0000201 0035'),
    ],
    run: runDatagram,
  },
];
