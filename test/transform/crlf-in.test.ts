import test from 'ava';
import fc from 'fast-check';
import { CrlfIn } from '../../src/transform/crlf.ts';
import { chunksOf, runTransform } from '../helpers/chunks.ts';

const lines = fc
  .array(fc.constantFrom('a', '\r', '\n', '\r\n', '\0'), { maxLength: 30 })
  .map((parts) => Buffer.from(parts.join('')));

test('CRLF becomes LF wherever the chunks are cut', async (t) => {
  await fc.assert(
    fc.asyncProperty(chunksOf(lines), async (chunks) => {
      const whole = Buffer.concat(chunks).toString('latin1');
      t.is((await runTransform(new CrlfIn(), chunks)).toString('latin1'), whole.replaceAll('\r\n', '\n'));
    }),
  );
});
