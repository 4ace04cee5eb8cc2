import { SUBNEGOTIATION_LIMIT_BYTES } from '../../../src/protocol/telnet/parser.ts';
import { TelnetCodec } from '../../../src/protocol/telnet/telnet-codec.ts';
import type { TelnetCodecOptions } from '../../../src/protocol/telnet/codec-options.ts';
import { checkBuffered, Finding, type CodecTarget } from '../../helpers/protocol/codec-target.ts';
import { hex } from '../../helpers/protocol/hex.ts';

const seeds = [
  hex('fffd01 fffb03 68656c6c6f0d0a'),
  hex('fffd18 fffa1801fff0 fffa1801fff0 fffa1801fff0'),
  hex('fffd1f fffd20 fffa2001fff0 fffd05 fffa0501fff0'),
  hex('fffb18 fffa1800787465726dfff0 fffb1f fffa1f0050ffff18fff0'),
  hex('fffb00 fffd00 0d 0d00 0d0a ffff 00 fffc00 0d0a 0d00'),
  hex('fffb05 fffa0500fbfdfb01fdfdf0f0fff0 fffd06 fff6 fff1 fff9 ffef'),
  hex('fffa22010302fff0 fffa2701fff0 fffa1801fffb01 fff0'),
  Buffer.concat([hex('fffa18'), Buffer.alloc(5000, 65), hex('fff0')]),
  Buffer.from('login: \r\nPassword: \r\0'),
];

/** Events as one comparable list, neighbouring data joined: where data is cut says nothing. */
function runTelnet(options: TelnetCodecOptions, chunks: readonly Buffer[]): unknown {
  const codec = new TelnetCodec(options);
  const out: unknown[] = [codec.start().toString('hex')];
  let data: Buffer[] = [];
  const flushData = () => {
    if (data.length > 0) out.push(Buffer.concat(data).toString('hex'));
    data = [];
  };
  let inputBytes = 0;
  let outputBytes = 0;
  const take = (events: ReturnType<TelnetCodec['receive']>) => {
    for (const event of events) {
      if (event.type === 'data') data.push(event.bytes);
      else {
        flushData();
        out.push('bytes' in event ? { ...event, bytes: event.bytes.toString('hex') } : event);
      }
      if (event.type === 'reply') outputBytes += event.bytes.length;
    }
  };
  for (const chunk of chunks) {
    inputBytes += chunk.length;
    take(codec.receive(chunk));
    checkBuffered(codec.bufferedBytes, SUBNEGOTIATION_LIMIT_BYTES + 2);
  }
  take(codec.end());
  flushData();
  // The longest answer (a terminal type of 40 bytes) to the shortest question (6 bytes) bounds what a peer can draw.
  if (outputBytes > inputBytes * 12) throw new Finding(`${outputBytes} bytes answer ${inputBytes}`);
  return out;
}

const client: TelnetCodecOptions = {
  role: 'client',
  active: true,
  terminalType: ['tnet', 'XTERM-256COLOR', 'MTTS 137'],
  windowSize: { columns: 255, rows: 65535 },
  terminalSpeed: [38400, 38400],
};

/** Data on its way out: the server has to read what the client was given, in the form of the NVT. */
function runEncode(chunks: readonly Buffer[]): unknown {
  const client = new TelnetCodec({ role: 'client' });
  const wire: Buffer[] = [];
  for (const chunk of chunks) {
    wire.push(client.encode(chunk));
    checkBuffered(client.bufferedBytes, 1);
  }
  const encoded = Buffer.concat([...wire, client.flush()]);
  const events = new TelnetCodec({ role: 'server' }).receive(encoded);
  const read = events
    .map((event) => (event.type === 'data' ? event.bytes.toString('latin1') : event.type))
    .join('');
  const given = Buffer.concat(chunks).toString('latin1');
  if (read !== given.replaceAll(/(?<!\r)\n/g, '\r\n')) throw new Finding('the peer reads something else');
  return encoded.toString('hex');
}

export const telnetTargets: CodecTarget[] = [
  { name: 'telnet-client', seeds, run: (chunks) => runTelnet(client, chunks) },
  { name: 'telnet-encode', seeds: [...seeds, hex('0d0a0d0d0a0a0dff0a00')], run: runEncode },
  {
    name: 'telnet-server',
    seeds,
    run: (chunks) => runTelnet({ role: 'server', active: true, newline: 'lf', binary: 'offer' }, chunks),
  },
];
