import { SNIFF_LIMIT_BYTES, sniffProtocol } from '../../../src/protocol/sniff.ts';
import { HELLO_LIMIT_BYTES, peekClientHello } from '../../../src/protocol/client-hello.ts';
import { encodeProxyV2 } from '../../../src/protocol/proxy-protocol/encode.ts';
import {
  alpn,
  buildHello,
  cutIntoRecords,
  extension,
  serverName,
  supportedVersions,
} from '../../helpers/protocol/build-hello.ts';
import { describeError, Finding, type CodecTarget } from '../../helpers/protocol/codec-target.ts';
import { hex, latin1 } from '../../helpers/protocol/hex.ts';

/** Shows a peeking function more and more of the stream until it has made up its mind. */
function peekOn<Answer>(
  chunks: readonly Buffer[],
  peek: (bytes: Buffer) => Answer,
  needsMore: (answer: Answer) => boolean,
  limitBytes: number,
): unknown {
  let answer: unknown = 'nothing came';
  let bytes = 0;
  const whole = Buffer.concat(chunks);
  for (const chunk of chunks) {
    bytes += chunk.length;
    try {
      const found = peek(whole.subarray(0, bytes));
      answer = found;
      if (!needsMore(found)) return answer;
    } catch (error) {
      return describeError(error);
    }
    if (bytes > limitBytes) throw new Finding(`needs more than ${bytes} bytes`);
  }
  return answer;
}

const full = buildHello([
  extension(10, hex('0002001d')),
  serverName('a.example'),
  alpn('h2', 'http/1.1'),
  supportedVersions(0x0304),
]);

export const peekTargets: CodecTarget[] = [
  {
    name: 'tls-hello',
    seeds: [
      cutIntoRecords(full, 16384),
      cutIntoRecords(full, 7),
      cutIntoRecords(full, 1),
      cutIntoRecords(buildHello(undefined), 100),
      cutIntoRecords(buildHello([serverName('a b')]), 100),
      cutIntoRecords(buildHello([extension(21, Buffer.alloc(60000))]), 16384),
      cutIntoRecords(
        buildHello([extension(21, Buffer.alloc(65000)), extension(22, Buffer.alloc(500))]),
        16384,
      ),
    ],
    run: (chunks) => peekOn(chunks, peekClientHello, ({ type }) => type === 'need-more', HELLO_LIMIT_BYTES),
  },
  {
    name: 'sniff',
    seeds: [
      cutIntoRecords(full, 16384),
      latin1('GET / HTTP/1.1\r\n'),
      latin1('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      latin1('SSH-2.0-x\r\n'),
      latin1('PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n'),
      encodeProxyV2({ command: 'local', ends: { family: 'unknown' }, values: [] }),
      latin1('*1\r\n$4\r\nPING\r\n'),
      hex('05020002'),
      hex('04010050c000020100'),
      hex('0000000804d2162f'),
      hex('fffd03fffb18'),
    ],
    run: (chunks) => peekOn(chunks, sniffProtocol, (answer) => answer === 'need-more', SNIFF_LIMIT_BYTES - 1),
  },
];
