import type { ExecutionContext } from 'ava';
import { spliceFlow } from '../../src/flow/splice-flow.ts';
import {
  createBytes,
  createSink,
  createSource,
  endKinds,
  must,
  nativeTest,
  sizes,
  type EndKind,
} from '../native/ends.ts';

for (const sourceKind of endKinds) {
  for (const sinkKind of endKinds) {
    nativeTest(`carries every size from a ${sourceKind} to a ${sinkKind} to the last byte`, async (t) => {
      for (const size of sizes) await carry(t, sourceKind, sinkKind, size);
    });
  }
}

async function carry(
  t: ExecutionContext,
  sourceKind: EndKind,
  sinkKind: EndKind,
  size: number,
): Promise<void> {
  const bytes = createBytes(size);
  const { source, feed } = await createSource(t, sourceKind, bytes);
  const { sink, collect, close } = await createSink(t, sinkKind);
  const collected = collect();
  const flow = must(spliceFlow({ source, sink }));
  feed(bytes);
  const ending = await flow.ended;
  close();
  t.deepEqual(ending, { reason: 'eof', bytes: size, unsentBytes: 0 });
  t.true(bytes.equals(await collected), `${size} bytes arrive as they were sent`);
  t.is(flow.bytes, size);
  t.is(flow.bytesRead, size);
}
