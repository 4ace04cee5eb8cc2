import test from 'ava';
import fc from 'fast-check';
import { TelnetCodec } from '../../../src/protocol/telnet/telnet-codec.ts';
import { telnetOptions } from '../../../src/protocol/telnet/codes.ts';
import type { TelnetEvent } from '../../../src/protocol/telnet/codec-options.ts';
import { cutAt } from '../../helpers/protocol/codec-target.ts';
import { hex, latin1 } from '../../helpers/protocol/hex.ts';

const rows: [what: string, input: Buffer, encoded: Buffer][] = [
  ['text goes out as it is', latin1('hello'), latin1('hello')],
  ['a 255 goes out twice', hex('61ff62ff'), hex('61ffff62ffff')],
  ['LF goes out as CR LF', latin1('a\nb\n'), latin1('a\r\nb\r\n')],
  ['CR LF is not doubled', latin1('a\r\nb\r\n'), latin1('a\r\nb\r\n')],
  ['CR goes out as CR NUL', latin1('a\rb\r'), latin1('a\r\0b\r\0')],
  ['CR CR LF goes out as CR NUL CR LF', latin1('\r\r\n'), latin1('\r\0\r\n')],
];

for (const [what, input, encoded] of rows) {
  test(`${what}, cut anywhere`, (t) => {
    for (let cut = 0; cut <= input.length; cut += 1) {
      const codec = new TelnetCodec({ role: 'client' });
      const parts = cutAt(input, [cut]).map((chunk) => codec.encode(chunk));
      t.deepEqual(Buffer.concat([...parts, codec.flush()]), encoded);
    }
  });
}

const downRows: typeof rows = [
  ['a lone LF stays one for a terminal', latin1('a\nb\r\n'), latin1('a\nb\r\n')],
  ['CR goes out as CR NUL, and 255 twice, for a terminal', hex('0d61ff0a0d'), hex('0d0061ffff0a0d00')],
];

for (const [what, input, encoded] of downRows) {
  test(`${what}, cut anywhere`, (t) => {
    for (let cut = 0; cut <= input.length; cut += 1) {
      const codec = new TelnetCodec({ role: 'server', lineFeed: 'down' });
      const parts = cutAt(input, [cut]).map((chunk) => codec.encode(chunk));
      t.deepEqual(Buffer.concat([...parts, codec.flush()]), encoded);
    }
  });
}

test('a key is sent at once when it is flushed', (t) => {
  const codec = new TelnetCodec({ role: 'client' });
  t.is(codec.encode(latin1('\r')).length, 0);
  t.deepEqual(codec.flush(), latin1('\r\0'));
  t.is(codec.flush().length, 0);
});

test('in BINARY only 255 is changed', (t) => {
  const codec = new TelnetCodec({ role: 'client' });
  codec.receive(hex('fffd00'));
  t.deepEqual(codec.encode(hex('0d 0a 0d ff 0a')), hex('0d 0a 0d ffff 0a'));
});

test('a CR held before BINARY began goes out bare', (t) => {
  const codec = new TelnetCodec({ role: 'client' });
  codec.encode(latin1('\r'));
  codec.receive(hex('fffd00'));
  t.deepEqual(codec.encode(latin1('x')), latin1('\rx'));
  t.is(codec.flush().length, 0);
});

test('after our DONT BINARY the peer is binary until it has answered', (t) => {
  const codec = new TelnetCodec({ role: 'client' });
  codec.receive(hex('fffb00'));
  t.deepEqual(codec.disable('remote', telnetOptions.binary), hex('fffe00'));
  const events = codec.receive(hex('0d00 fffc00 0d00'));
  const data = events.filter((event) => event.type === 'data').map(({ bytes }) => bytes);
  t.deepEqual(Buffer.concat(data), hex('0d00 0d'));
});

/** Lets two codecs talk until neither has anything to say. */
function settle(left: TelnetCodec, right: TelnetCodec): TelnetEvent[] {
  let [toRight, toLeft] = [left.start(), right.start()];
  const seen: TelnetEvent[] = [];
  for (let round = 0; toRight.length + toLeft.length > 0; round += 1) {
    if (round > 10) throw new Error('the two ends negotiate for ever');
    const answer = (codec: TelnetCodec, bytes: Buffer) => {
      const events = codec.receive(bytes);
      seen.push(...events);
      return Buffer.concat(events.filter((event) => event.type === 'reply').map((event) => event.bytes));
    };
    [toLeft, toRight] = [Buffer.concat([answer(right, toRight)]), Buffer.concat([answer(left, toLeft)])];
  }
  return seen;
}

test('two active ends agree and fall silent', (t) => {
  const client = new TelnetCodec({
    role: 'client',
    active: true,
    terminalType: 'XTERM',
    windowSize: { columns: 255, rows: 24 },
  });
  const server = new TelnetCodec({ role: 'server', active: true });
  const seen = settle(client, server);
  t.true(client.isOn('remote', telnetOptions.echo));
  t.true(server.isOn('remote', telnetOptions['window-size']));
  t.deepEqual(client.status, { will: [...server.status.do], do: [...server.status.will] });
  t.true(seen.some((event) => event.type === 'window-size' && event.columns === 255));
  t.true(seen.some((event) => event.type === 'terminal-type' && event.name === 'XTERM'));
});

for (const binary of ['refuse', 'offer'] as const) {
  const form = binary === 'offer' ? 'exactly' : 'with LF as CR LF';
  test(`any data in any chunks arrives ${form} when BINARY is ${binary}`, (t) => {
    const bytes = fc
      .array(fc.constantFrom(0, 10, 13, 65, 240, 250, 251, 253, 255), { maxLength: 60 })
      .map((list) => Buffer.from(list));
    const cuts = fc.array(fc.nat(200), { maxLength: 6 });
    const property = fc.property(bytes, cuts, cuts, (data, sendCuts, receiveCuts) => {
      const client = new TelnetCodec({ role: 'client', active: true, binary });
      const server = new TelnetCodec({ role: 'server', binary });
      settle(client, server);
      const wire = Buffer.concat([
        ...cutAt(data, sendCuts).map((chunk) => client.encode(chunk)),
        client.flush(),
      ]);
      const events = [...cutAt(wire, receiveCuts).flatMap((chunk) => server.receive(chunk)), ...server.end()];
      const got = Buffer.concat(events.filter((event) => event.type === 'data').map((event) => event.bytes));
      const nvt = latin1(data.toString('latin1').replaceAll(/(?<!\r)\n/g, '\r\n'));
      t.deepEqual(got, binary === 'offer' ? data : nvt);
      t.true(events.every((event) => event.type === 'data'));
    });
    fc.assert(property, { numRuns: 2000 });
  });
}
