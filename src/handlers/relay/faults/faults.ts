import type { Transform } from 'node:stream';
import { Bandwidth, Latency, Slice } from '../../../transform/line-faults.ts';
import { Blackhole, ByteLimit, SlowClose } from '../../../transform/end-faults.ts';
import { Corrupt } from '../../../transform/corrupt.ts';
import { createRandom } from '../../../transform/random.ts';
import type { FaultValues } from '../pair.ts';
import { DelayDatagrams, LoseDatagrams, NarrowDatagrams } from '../../../transform/datagrams.ts';

const directions = ['up', 'down'] as const;

/** What is done to one connection. */
export interface Faults {
  readonly up: readonly Transform[];
  readonly down: readonly Transform[];
  /** Milliseconds after which it is reset, if at all. */
  readonly resetAfterMs: number | undefined;
  /** How long a byte may be held on purpose, in milliseconds; a reset is delayed by as much. */
  readonly holdMs?: number;
}

/**
 * Draws the faults for a connection. With the same seed, the same connection (by its number) has the same faults.
 *
 * @param onDrop called when a connection has carried what --drop-after allows
 */
export function createFaults(values: FaultValues, connection: number, onDrop: () => void): Faults {
  return drawFaults(values, connection, (_values, row) => makeStreamFaults(values, row, onDrop));
}

/**
 * Draws whether a connection has faults, and creates those of each direction.
 *
 * @param create called for each direction with the seed of its probabilities
 */
function drawFaults(
  values: FaultValues,
  connection: number,
  create: (values: FaultValues, row: Row) => Transform[],
): Faults {
  const { seed = Math.floor(Math.random() * 2 ** 32), probability = 1, direction = 'both' } = values;
  if (createRandom(seed, connection)() >= probability) return { up: [], down: [], resetAfterMs: undefined };
  const [up, down] = directions.map((one) =>
    direction === 'both' || direction === one ? create(values, [seed, connection, one]) : [],
  );
  const { latency, slowClose = 0 } = values;
  const holdMs = (latency ? latency.mean + latency.spread : 0) + slowClose;
  return { up: up ?? [], down: down ?? [], resetAfterMs: values.resetAfter, holdMs };
}

/** What the probabilities of a direction are seeded with. */
type Row = readonly [seed: number, connection: number, direction: string];

function makeStreamFaults(values: FaultValues, [seed, ...words]: Row, onDrop: () => void): Transform[] {
  const random = (name: string) => createRandom(seed, ...words, name);
  const { corrupt, dropAfter, latency, bandwidth, slowClose, blackhole } = values;
  const { slice, sliceSize, sliceDelay } = values;
  const transforms: Transform[] = [];
  if (corrupt !== undefined) transforms.push(new Corrupt(corrupt, random('corrupt')));
  if (bandwidth !== undefined) transforms.push(new Bandwidth(bandwidth));
  if (latency !== undefined) transforms.push(new Latency({ delayMs: latency, random: random('latency') }));
  const isSliced = slice ?? (sliceSize !== undefined || sliceDelay !== undefined);
  if (isSliced) {
    const sizeBytes = sliceSize ?? { mean: 64, spread: 63 };
    transforms.push(new Slice({ sizeBytes, delayMs: sliceDelay ?? 0, random: random('slice') }));
  }
  if (dropAfter !== undefined) transforms.push(new ByteLimit(dropAfter, onDrop));
  if (slowClose !== undefined) transforms.push(new SlowClose(slowClose));
  if (blackhole) transforms.push(new Blackhole());
  return transforms;
}

/** Like createFaults(), for datagrams that stay datagrams. */
export function createDatagramFaults(values: FaultValues, connection: number): Faults {
  return drawFaults(values, connection, makeDatagramFaults);
}

function makeDatagramFaults(values: FaultValues, [seed, ...words]: Row): Transform[] {
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
