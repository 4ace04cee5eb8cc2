import { Duplex, PassThrough } from 'node:stream';
import test from 'ava';
import fc from 'fast-check';
import { createTelnet } from '../../../src/handlers/relay/telnet.ts';
import { setLocalEnd } from '../../../src/net/local-end.ts';
import { collect } from '../../helpers/bytes.ts';
import { chunksOf, runTransform } from '../../helpers/chunks.ts';
import { hex, latin1 } from '../../helpers/protocol/hex.ts';

/** WILL ECHO, WILL SGA, DO NAWS. */
const offers = hex('fffb01 fffb03 fffd1f');

/** A client's streams, what it is sent beside them, and the sizes that its target's terminal gets. */
function openClient() {
  const client = new PassThrough();
  const target = new Duplex();
  const sizes: string[] = [];
  setLocalEnd(target, { resize: (columns, rows) => void sizes.push(`${columns}x${rows}`) });
  const { encoder, decoder } = createTelnet(client, target);
  return { encoder, decoder, client, sizes };
}

/** What a client says, what the terminal gets as input, and as sizes. */
const rows: [what: string, said: Buffer, typed: Buffer, sizes: string[]][] = [
  ['a line of telnet(1)', latin1('ls\r\0'), latin1('ls\r'), []],
  ['a line with CR LF', latin1('ls\r\nx'), latin1('ls\rx'), []],
  ['a line of nc', latin1('ls\n'), latin1('ls\n'), []],
  ['an escaped 255', hex('61ffff62'), hex('61ff62'), []],
  ['a window', hex('fffb1f fffa1f 0064 0028 fff0'), latin1(''), ['100x40']],
  ['a window of 255 by 65535', hex('fffb1f fffa1f 00ffff ffffffff fff0 61'), latin1('a'), ['255x65535']],
  ['two windows', hex('fffb1f fffa1f00640028fff0 78 fffa1f00500018fff0'), latin1('x'), ['100x40', '80x24']],
  ['no window', hex('fffb1f fffa1f00000028fff0'), latin1(''), []],
  ['a window of five bytes', hex('fffb1f fffa1f0000002801fff0'), latin1(''), []],
  ['interrupt and abort between keys', hex('61fff462ffee63'), hex('6103621c63'), []],
];

for (const [what, said, typed, expected] of rows) {
  test(`${what} is understood, cut anywhere`, async (t) => {
    await fc.assert(
      fc.asyncProperty(chunksOf(fc.constant(said)), async (chunks) => {
        const { decoder, sizes } = openClient();
        t.deepEqual(await runTransform(decoder, chunks), typed);
        t.deepEqual(sizes, expected);
      }),
      { numRuns: 30 },
    );
  });
}

test('the options are offered first, and what the terminal prints is escaped', async (t) => {
  const { encoder } = openClient();
  const printed = await runTransform(encoder, [hex('61ff0d0a'), latin1('\r'), latin1('down\n')]);
  t.deepEqual(printed, Buffer.concat([offers, hex('61ffff0d0a 0d00'), latin1('down\n')]));
});

test('a target without a terminal has no size', async (t) => {
  const { decoder } = createTelnet(new PassThrough(), new PassThrough());
  t.is((await runTransform(decoder, [hex('fffb1f fffa1f00640028fff0')])).length, 0);
});

test('other options are refused, and "are you there" is answered', async (t) => {
  const { decoder, client } = openClient();
  await runTransform(decoder, [hex('fffd2d fffb22 fff6')]);
  client.end();
  t.deepEqual(await collect(client), Buffer.concat([hex('fffc2d fffe22'), latin1('\r\n[Yes]\r\n')]));
});
