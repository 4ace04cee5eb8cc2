import type { Transform } from 'node:stream';
import { Blackhole } from '../../../transform/blackhole.ts';
import { Corrupt } from '../../../transform/corrupt.ts';
import { DelayDatagrams, LoseDatagrams, NarrowDatagrams } from '../../../transform/datagram-faults.ts';
import { createRandom } from '../../../transform/random.ts';
import type { FaultValues } from '../pair.ts';
import { drawFaults, type Faults, type Row } from './streams.ts';

/** As createFaults(), for datagrams that stay datagrams. */
export function createDatagramFaults(values: FaultValues, connection: number): Faults {
  return drawFaults(values, connection, createWay);
}

function createWay(values: FaultValues, [seed, ...words]: Row): Transform[] {
  const random = (name: string) => createRandom(seed, ...words, name);
  const { loss, corrupt, bandwidth, latency, blackhole } = values;
  const transforms: Transform[] = [];
  if (loss !== undefined) transforms.push(new LoseDatagrams(loss, random('loss')));
  if (corrupt !== undefined)
    transforms.push(new Corrupt(corrupt, random('corrupt'), { readableObjectMode: true }));
  if (bandwidth !== undefined) transforms.push(new NarrowDatagrams(bandwidth));
  if (latency !== undefined) transforms.push(new DelayDatagrams(latency, random('latency')));
  if (blackhole) transforms.push(new Blackhole());
  return transforms;
}
