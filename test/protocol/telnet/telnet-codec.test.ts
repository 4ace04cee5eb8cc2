import test from 'ava';
import { TelnetCodec } from '../../../src/protocol/telnet/telnet-codec.ts';
import { telnetOptions } from '../../../src/protocol/telnet/codes.ts';
import { SUBNEGOTIATION_LIMIT_BYTES } from '../../../src/protocol/telnet/parser.ts';
import type { TelnetCodecOptions, TelnetEvent } from '../../../src/protocol/telnet/codec-options.ts';
import { hex, latin1 } from '../../helpers/protocol/hex.ts';

const client: TelnetCodecOptions = {
  role: 'client',
  terminalType: 'XTERM',
  windowSize: { columns: 80, rows: 24 },
  terminalSpeed: [38400, 38400],
};

function collect(events: TelnetEvent[]): { data: string; replies: string } {
  const join = (type: 'data' | 'reply') =>
    Buffer.concat(
      events.flatMap((event) => (event.type === type ? [(event as { bytes: Buffer }).bytes] : [])),
    );
  return { data: join('data').toString('latin1'), replies: join('reply').toString('hex') };
}

interface Row {
  what: string;
  options?: TelnetCodecOptions;
  input: Buffer;
  data?: string;
  replies?: string;
}

const rows: Row[] = [
  { what: 'plain text is data', input: latin1('hello'), data: 'hello' },
  { what: 'IAC IAC is one byte of 255', input: hex('61 ffff 62'), data: 'a\xffb' },
  { what: 'CR NUL is a bare CR', input: hex('61 0d00 62'), data: 'a\rb' },
  { what: 'CR LF stays CR LF', input: hex('61 0d0a 62'), data: 'a\r\nb' },
  {
    what: 'CR LF is LF when the program wants it so',
    options: { ...client, newline: 'lf' },
    input: hex('61 0d0a 62 0d00 63 0d 64'),
    data: 'a\nb\rc\rd',
  },
  {
    what: 'a CR is kept when a command stands between it and its LF',
    input: hex('61 0d fff1 0a'),
    data: 'a\r\n',
  },
  { what: 'a command is never data', input: hex('61 fff1 fff9 fff2 ffef 62'), data: 'ab' },
  { what: 'a byte after IAC that is no command is dropped with it', input: hex('61 ff05 62'), data: 'ab' },
  { what: 'WILL ECHO is agreed to', input: hex('fffb01'), replies: 'fffd01' },
  { what: 'WILL SUPPRESS-GO-AHEAD is agreed to', input: hex('fffb03'), replies: 'fffd03' },
  { what: 'an option is agreed to once only', input: hex('fffb01 fffb01 fffb01'), replies: 'fffd01' },
  { what: 'DO ECHO is refused by a client', input: hex('fffd01'), replies: 'fffc01' },
  { what: 'DO LINEMODE is refused', input: hex('fffd22'), replies: 'fffc22' },
  { what: 'DO NEW-ENVIRON is refused', input: hex('fffd27'), replies: 'fffc27' },
  {
    what: 'DO NEW-ENVIRON is agreed to with variables, and a request for all of them gets all',
    options: { ...client, environment: new Map([['USER', 'me']]) },
    input: hex('fffd27 fffa2701fff0'),
    replies: 'fffb27fffa2700005553455201' + '6d65' + 'fff0',
  },
  {
    what: 'a request of NEW-ENVIRON by name gets the value, or none, and bytes of its own are escaped',
    options: { ...client, environment: new Map([['A', '\x00\x03b']]) },
    input: hex('fffd27 fffa27 01 0341 0055534552 fff0'),
    replies: 'fffb27fffa27000341010200020362' + '0055534552' + 'fff0',
  },
  {
    what: 'a request of NEW-ENVIRON for a whole kind gets all',
    options: { ...client, environment: new Map([['USER', 'me']]) },
    input: hex('fffd27 fffa27 01 00 03 fff0'),
    replies: 'fffb27fffa27000055534552016d65fff0',
  },
  {
    what: 'what is no request of NEW-ENVIRON gets no answer',
    options: { ...client, environment: new Map([['USER', 'me']]) },
    input: hex('fffd27 fffa27 00 fff0'),
    replies: 'fffb27',
  },
  { what: 'DO CHARSET and WILL CHARSET are refused', input: hex('fffd2a fffb2a'), replies: 'fffc2afffe2a' },
  {
    what: 'an unknown option is refused on both sides',
    input: hex('fffdc8 fffbc8'),
    replies: 'fffcc8fffec8',
  },
  { what: 'DONT and WONT for what is off are not answered', input: hex('fffe01 fffc01 fffec8 fffcc8') },
  { what: 'WONT for what is on is agreed to', input: hex('fffb01 fffc01'), replies: 'fffd01fffe01' },
  {
    what: 'DO NAWS is agreed to and the window told at once (RFC 1073)',
    input: hex('fffd1f'),
    replies: 'fffb1f fffa1f00500018fff0',
  },
  {
    what: 'a 255 in the window is doubled (RFC 1073)',
    options: { ...client, windowSize: { columns: 255, rows: 65535 } },
    input: hex('fffd1f'),
    replies: 'fffb1f fffa1f 00ffff ffffffff fff0',
  },
  {
    what: 'DO NAWS is refused without a window',
    options: { role: 'client' },
    input: hex('fffd1f'),
    replies: 'fffc1f',
  },
  {
    what: 'the terminal type is told when asked for (RFC 1091)',
    options: { role: 'client', terminalType: 'IBM-3278-2' },
    input: hex('fffd18 fffa1801fff0'),
    replies: 'fffb18 fffa18 00 49424d2d333237382d32 fff0',
  },
  {
    what: 'a terminal type is not told before the option is agreed',
    input: hex('fffa1801fff0'),
  },
  {
    what: 'the terminal speed is told when asked for (RFC 1079)',
    input: hex('fffd20 fffa2001fff0'),
    replies: 'fffb20 fffa20 00 33383430302c3338343030 fff0',
  },
  {
    what: 'the status names what is on (RFC 859)',
    input: hex('fffb01 fffd03 fffd05 fffa0501fff0'),
    replies: 'fffd01 fffb03 fffb05 fffa05 00 fb03 fb05 fd01 fff0',
  },
  {
    what: 'every DO TIMING-MARK is answered (RFC 860)',
    input: hex('fffd06 61 fffd06'),
    data: 'a',
    replies: 'fffb06fffb06',
  },
  {
    what: 'DO TIMING-MARK can be answered with WONT (RFC 860)',
    options: { ...client, timingMark: 'wont' },
    input: hex('fffd06'),
    replies: 'fffc06',
  },
  { what: 'WILL TIMING-MARK out of nowhere is not answered', input: hex('fffb06 fffc06 fffe06') },
  { what: 'DO END-OF-RECORD is agreed to (RFC 885)', input: hex('fffd19 fffb19'), replies: 'fffb19fffd19' },
  {
    what: 'in BINARY a CR and a NUL are data (RFC 856)',
    input: hex('0d00 fffb00 0d00 ffff 0d0a'),
    data: '\r\r\0\xff\r\n',
    replies: 'fffd00',
  },
  {
    what: 'after BINARY ends the end-of-line rule holds again',
    input: hex('fffb00 0d00 fffc00 0d00'),
    data: '\r\0\r',
    replies: 'fffd00fffe00',
  },
  {
    what: 'BINARY can be refused',
    options: { ...client, binary: 'refuse' },
    input: hex('fffb00 fffd00'),
    replies: 'fffe00fffc00',
  },
  {
    what: 'a subnegotiation is never data, with IAC IAC and SE inside',
    input: hex('61 fffa c8 01 f0 ffff 02 fff0 62'),
    data: 'ab',
  },
  {
    what: 'a subnegotiation cut short by a command is dropped and the command obeyed',
    input: hex('61 fffa18 01 fffb01 62'),
    data: 'ab',
    replies: 'fffd01',
  },
  {
    what: 'an endless subnegotiation is dropped whole',
    input: Buffer.concat([
      hex('61 fffac8'),
      Buffer.alloc(3 * SUBNEGOTIATION_LIMIT_BYTES, 120),
      hex('fff0 62'),
    ]),
    data: 'ab',
  },
  {
    what: 'a server agrees to echo, and to what a client offers',
    options: { role: 'server' },
    input: hex('fffd01 fffd03 fffb18 fffb1f fffb20 fffb22'),
    replies: 'fffb01 fffb03 fffd18 fffa1801fff0 fffd1f fffd20 fffa2001fff0 fffe22',
  },
];

for (const { what, options = client, input, data = '', replies = '' } of rows) {
  test(what, (t) => {
    const codec = new TelnetCodec(options);
    t.deepEqual(collect([...codec.receive(input), ...codec.end()]), {
      data,
      replies: replies.replaceAll(' ', ''),
    });
  });
}

test('a passive end sends nothing before it is spoken to', (t) => {
  t.is(new TelnetCodec(client).start().length, 0);
});

test('an active client offers what it has', (t) => {
  const all = new TelnetCodec({ ...client, active: true, binary: 'offer' }).start();
  t.deepEqual(all, hex('fffd03 fffb18 fffb1f fffb20 fffd05 fffb00 fffd00'));
  t.deepEqual(new TelnetCodec({ role: 'client', active: true }).start(), hex('fffd03 fffd05'));
});

test('an active client does not answer the answers to its offers', (t) => {
  const codec = new TelnetCodec({ ...client, active: true });
  codec.start();
  const events = codec.receive(hex('fffb03 fffd18 fffe1f fffe20 fffc05'));
  t.is(collect(events).replies, '');
  t.deepEqual(codec.status, {
    will: [telnetOptions['terminal-type']],
    do: [telnetOptions['suppress-go-ahead']],
  });
});

test('the terminal types are given in turn, the last one twice, then from the start', (t) => {
  const codec = new TelnetCodec({ role: 'client', terminalType: ['TNET', 'XTERM', 'MTTS 137'] });
  codec.receive(hex('fffd18'));
  const names = Array.from({ length: 6 }, () => {
    const [event] = codec.receive(hex('fffa1801fff0'));
    return event?.type === 'reply' ? event.bytes.subarray(4, -2).toString() : event;
  });
  t.deepEqual(names, ['TNET', 'XTERM', 'MTTS 137', 'MTTS 137', 'TNET', 'XTERM']);
});

test('a single terminal type is given to every request', (t) => {
  const codec = new TelnetCodec({ role: 'client', terminalType: 'XTERM' });
  codec.receive(hex('fffd18'));
  for (let round = 0; round < 3; round += 1) {
    t.is(collect(codec.receive(hex('fffa1801fff0'))).replies, 'fffa1800585445524dfff0');
  }
});

test('a resize is told only once the peer listens', (t) => {
  const codec = new TelnetCodec(client);
  t.is(codec.resize(100, 30).length, 0);
  t.is(collect(codec.receive(hex('fffd1f'))).replies, 'fffb1ffffa1f0064001efff0');
  t.deepEqual(codec.resize(255, 50), hex('fffa1f 00ffff 0032 fff0'));
});

test('a server hears the window, the terminal type, the speed and the status of its client', (t) => {
  const codec = new TelnetCodec({ role: 'server' });
  codec.receive(hex('fffb1f fffb18 fffb20 fffb05'));
  t.deepEqual(codec.requestStatus(), hex('fffa0501fff0'));
  t.deepEqual(codec.requestTerminalType(), hex('fffa1801fff0'));
  const told = codec.receive(
    hex('fffa1f00ffff0018fff0 fffa18 00 78 fff0 fffa20 00 312c32 fff0 fffa05 00 fbfd fb05 fd01 fff0'),
  );
  t.deepEqual(told, [
    { type: 'window-size', columns: 255, rows: 24 },
    { type: 'terminal-type', name: 'x' },
    { type: 'terminal-speed', transmit: 1, receive: 2 },
    { type: 'status', will: [253, 5], do: [1] },
  ]);
});

test('a timing mark that was asked for is reported once', (t) => {
  const codec = new TelnetCodec(client);
  t.deepEqual(codec.requestTimingMark(), hex('fffd06'));
  const marks = codec.receive(hex('fffb06 fffb06')).filter(({ type }) => type === 'timing-mark');
  t.deepEqual(marks, [{ type: 'timing-mark', verb: 'will' }]);
});

test('commands are reported by name', (t) => {
  const codec = new TelnetCodec(client);
  const commands = codec.receive(hex('fff1 fff2 fff3 fff4 fff5 fff6 fff7 fff8 fff9 ffec ffed ffee ffef'));
  t.deepEqual(
    commands.map((event) => (event.type === 'command' ? event.command : event.type)),
    ['nop', 'dm', 'brk', 'ip', 'ao', 'ayt', 'ec', 'el', 'ga', 'eof', 'susp', 'abort', 'eor'],
  );
});

test('commands are sent as IAC and their code', (t) => {
  const codec = new TelnetCodec(client);
  t.deepEqual(codec.send('ayt'), hex('fff6'));
  t.deepEqual(codec.send('brk'), hex('fff3'));
  t.deepEqual(codec.send('ip'), hex('fff4'));
  t.deepEqual(codec.send('eor'), hex('ffef'));
});

test('what breaks the protocol is reported and the session goes on', (t) => {
  const codec = new TelnetCodec({ role: 'server' });
  codec.receive(hex('fffb1f'));
  const anomalies = codec.receive(hex('fff0 ff01 fffa1f01fff0 fffa1f00fff1 61'));
  t.deepEqual(
    anomalies.map((event) => (event.type === 'anomaly' ? event.anomaly : event.type)),
    [
      'end-without-subnegotiation',
      'unknown-command',
      'bad-subnegotiation',
      'subnegotiation-cut-short',
      'command',
      'data',
    ],
  );
});

test('a terminal type or window that cannot be sent is refused at the start', (t) => {
  const refused = { name: 'ProtocolError', code: 'TNET_E_PROTOCOL_INPUT' };
  t.throws(() => new TelnetCodec({ role: 'client', terminalType: 'x'.repeat(41) }), refused);
  t.throws(() => new TelnetCodec({ role: 'client', terminalType: 'a\nb' }), refused);
  t.throws(() => new TelnetCodec({ role: 'client', windowSize: { columns: 65536, rows: 1 } }), refused);
  t.throws(() => new TelnetCodec({ role: 'client' }).resize(-1, 1), refused);
  t.throws(() => new TelnetCodec({ role: 'client' }).enable('local', 255), refused);
});
