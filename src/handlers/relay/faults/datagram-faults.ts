import type { Transform } from 'node:stream';
import {
  CorruptDatagrams,
  DelayDatagrams,
  DropDatagrams,
  LoseDatagrams,
  NarrowDatagrams,
} from '../../../transform/datagrams.ts';
import { createRandom } from '../../../transform/random.ts';
import type { FaultValues } from '../pair.ts';

/** What is done to the datagrams of a session, which stay datagrams. */
export interface DatagramFaults {
  readonly up: readonly Transform[];
  readonly down: readonly Transform[];
  /** How long a datagram may be held on purpose, in milliseconds. */
  readonly holdMs: number;
}

/** Draws the faults of a session between two UDP ends. With the same seed, the same session (by its number) has the same. */
export function createDatagramFaults(values: FaultValues, session: number): DatagramFaults {
  const { seed = Math.floor(Math.random() * 2 ** 32), probability = 1, direction = 'both', latency } = values;
  if (createRandom(seed, session)() >= probability) return { up: [], down: [], holdMs: 0 };
  const create = (way: 'up' | 'down') =>
    direction === 'both' || direction === way ? createTransforms(values, seed, session, way) : [];
  return { up: create('up'), down: create('down'), holdMs: latency ? latency.mean + latency.spread : 0 };
}

function createTransforms(values: FaultValues, seed: number, session: number, way: string): Transform[] {
  const random = (name: string) => createRandom(seed, session, way, name);
  const { loss, corrupt, bandwidth, latency, blackhole } = values;
  const transforms: Transform[] = [];
  if (loss !== undefined) transforms.push(new LoseDatagrams(loss, random('loss')));
  if (corrupt !== undefined) transforms.push(new CorruptDatagrams(corrupt, random('corrupt')));
  if (bandwidth !== undefined) transforms.push(new NarrowDatagrams(bandwidth));
  if (latency !== undefined) transforms.push(new DelayDatagrams(latency, random('latency')));
  if (blackhole) transforms.push(new DropDatagrams());
  return transforms;
}
