import type { FaultDirection, PairFault } from '../../handlers/relay/faults/live-faults.ts';
import type { Fault } from '../../transform/faults/fault.ts';
import { ownValue } from '../../own-value.ts';
import { badBody, ToxiproxyError } from './errors.ts';
import { readFields, readNumber, readText, type Fields } from './fields.ts';

/** toxiproxy has no `both`: it is a fault that was made elsewhere, and one that is asked for by that word. */
export type ToxicStream = 'upstream' | 'downstream' | 'both';

type Attributes = Readonly<Record<string, number | string>>;

/** A fault as toxiproxy's clients see it. */
export interface Toxic {
  readonly attributes: Attributes;
  readonly name: string;
  readonly type: string;
  readonly stream: ToxicStream;
  readonly toxicity: number;
}

interface ToxicType {
  /** The numbers of it, with the value that each has when it is not given. */
  readonly attributes: Attributes;
  readonly toFault: (attributes: Readonly<Record<string, number>>, words: Fields) => Fault;
}

/** Known by itself: a fault that does nothing is no other toxic. */
const noop: Fault = { kind: 'slow-close', delayMs: 0 };

/** toxiproxy's types, and those that only tnet has: `corrupt` and `blackhole`. */
const types: Readonly<Record<string, ToxicType>> = {
  latency: {
    attributes: { latency: 0, jitter: 0 },
    toFault: ({ latency = 0, jitter = 0 }) => ({ kind: 'latency', delayMs: latency, jitterMs: jitter }),
  },
  // A kilobyte is 1000 bytes here.
  bandwidth: {
    attributes: { rate: 0 },
    toFault: ({ rate = 0 }) => ({ kind: 'bandwidth', bytesPerSecond: Math.round(rate * 1000) }),
  },
  slow_close: {
    attributes: { delay: 0 },
    toFault: ({ delay = 0 }) => ({ kind: 'slow-close', delayMs: delay }),
  },
  timeout: {
    attributes: { timeout: 0 },
    toFault: ({ timeout = 0 }) => ({ kind: 'timeout', afterMs: timeout }),
  },
  reset_peer: {
    attributes: { timeout: 0 },
    toFault: ({ timeout = 0 }, { from }) => ({
      kind: 'reset',
      afterMs: timeout,
      from: from === 'start' ? 'start' : 'first-byte',
    }),
  },
  // Its delay is in microseconds. A piece has a byte at least.
  slicer: {
    attributes: { average_size: 0, size_variation: 0, delay: 0 },
    toFault: ({ average_size: bytes = 0, size_variation: variationBytes = 0, delay = 0 }) => ({
      kind: 'slice',
      bytes: Math.max(1, bytes),
      variationBytes,
      delayMs: delay / 1000,
    }),
  },
  limit_data: {
    attributes: { bytes: 0 },
    toFault: ({ bytes = 0 }) => ({ kind: 'limit', bytes }),
  },
  noop: { attributes: {}, toFault: () => noop },
  corrupt: {
    attributes: { share: 0 },
    toFault: ({ share = 0 }) => ({ kind: 'corrupt', share }),
  },
  blackhole: { attributes: {}, toFault: () => ({ kind: 'blackhole' }) },
};

/** Attributes that need not be whole numbers. */
const fractions: ReadonlySet<string> = new Set(['share']);

const directions = { upstream: 'up', downstream: 'down', both: 'both' } as const;
const streams = { up: 'upstream', down: 'downstream', both: 'both' } as const;

export function showToxic({ name, direction = 'both', toxicity = 1, fault }: PairFault): Toxic {
  return { ...showFault(fault), name, stream: streams[direction], toxicity };
}

/** Those of `upstream` come first, as toxiproxy lists them; with one of `both`, all stand in the order in which they act. */
export function showToxics(faults: readonly PairFault[]): Toxic[] {
  const toxics = faults.map(showToxic);
  if (toxics.some(({ stream }) => stream === 'both')) return toxics;
  return (['upstream', 'downstream'] as const).flatMap((stream) =>
    toxics.filter((toxic) => toxic.stream === stream),
  );
}

/** Reads a toxic that is to be made. @throws ToxiproxyError 400 */
export function readToxic(body: unknown): PairFault {
  const fields = readFields(body);
  const stream = readText(fields, 'stream') ?? 'downstream';
  const typeName = readText(fields, 'type') ?? '';
  const name = readText(fields, 'name') ?? '';
  const toxicity = readToxicity(fields) ?? 1;
  const direction = readDirection(stream);
  const type = ownValue(types, typeName);
  if (!type) throw new ToxiproxyError(400, 'invalid toxic type');
  const fault = readFault(type, type.attributes, fields);
  return { name: name === '' ? `${typeName}_${stream}` : name, direction, toxicity, fault };
}

/** Reads what a toxic is to be changed to; what is not named stays. @throws ToxiproxyError 400 */
export function readToxicChange(
  current: PairFault,
  body: unknown,
): Partial<Pick<PairFault, 'toxicity' | 'fault'>> {
  const fields = readFields(body);
  const toxicity = readToxicity(fields);
  const { type: typeName, attributes } = showFault(current.fault);
  const type = types[typeName];
  return {
    ...(toxicity !== undefined && { toxicity }),
    ...(type && fields.attributes !== undefined && { fault: readFault(type, attributes, fields) }),
  };
}

function readDirection(stream: string): FaultDirection | 'both' {
  const known = stream.toLowerCase();
  if (!Object.hasOwn(directions, known))
    throw new ToxiproxyError(400, 'stream was invalid, can be either upstream or downstream');
  return directions[known as ToxicStream];
}

function readToxicity(fields: Fields): number | undefined {
  const toxicity = readNumber(fields, 'toxicity');
  return toxicity === undefined ? undefined : Math.min(1, Math.max(0, toxicity));
}

/** Those that the type does not know are ignored. */
function readFault(type: ToxicType, current: Attributes, fields: Fields): Fault {
  const given = fields.attributes === undefined ? {} : readFields(fields.attributes, 'attributes');
  const numbers: Record<string, number> = {};
  for (const [name, usual] of Object.entries({ ...type.attributes, ...current })) {
    if (typeof usual !== 'number') continue;
    const value = readNumber(given, name);
    if (value !== undefined && (value < 0 || !(fractions.has(name) || Number.isInteger(value))))
      throw badBody(`expected a ${fractions.has(name) ? '' : 'whole '}number from 0 on as ${name}`);
    numbers[name] = value ?? usual;
  }
  return type.toFault(numbers, { ...current, ...given });
}

function showFault(fault: Fault): Pick<Toxic, 'type' | 'attributes'> {
  if (fault === noop) return { type: 'noop', attributes: {} };
  switch (fault.kind) {
    case 'latency':
      return { type: 'latency', attributes: { latency: fault.delayMs, jitter: fault.jitterMs ?? 0 } };
    case 'bandwidth':
      return { type: 'bandwidth', attributes: { rate: fault.bytesPerSecond / 1000 } };
    case 'slow-close':
      return { type: 'slow_close', attributes: { delay: fault.delayMs } };
    case 'timeout':
      return { type: 'timeout', attributes: { timeout: fault.afterMs } };
    case 'reset':
      return {
        type: 'reset_peer',
        attributes: { timeout: fault.afterMs, ...(fault.from !== 'first-byte' && { from: 'start' }) },
      };
    case 'slice': {
      const { bytes, variationBytes = 0, delayMs = 0 } = fault;
      const delay = Math.round(delayMs * 1000);
      return { type: 'slicer', attributes: { average_size: bytes, size_variation: variationBytes, delay } };
    }
    case 'limit':
      return { type: 'limit_data', attributes: { bytes: fault.bytes } };
    case 'corrupt':
      return { type: 'corrupt', attributes: { share: fault.share } };
    case 'blackhole':
      return { type: 'blackhole', attributes: {} };
  }
}
