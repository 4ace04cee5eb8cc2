import { finished } from 'node:stream/promises';
import { Readable, Writable } from 'node:stream';
import fc from 'fast-check';
import type { ConnectionFaults } from '../../src/handlers/relay/faults/live-faults.ts';
import { LiveFaults } from '../../src/handlers/relay/faults/live-faults.ts';
import { createRandom, type Random } from '../../src/transform/random.ts';
import type { Fault } from '../../src/transform/faults/fault.ts';
import type { FaultChain } from '../../src/transform/faults/fault-chain.ts';

/** Faults under which every byte arrives as it was sent. */
export const faithfulFault: fc.Arbitrary<Fault> = fc.oneof(
  fc.record({
    kind: fc.constant('latency' as const),
    delayMs: fc.integer({ min: 0, max: 8 }),
    jitterMs: fc.integer({ min: 0, max: 8 }),
  }),
  fc.record({
    kind: fc.constant('bandwidth' as const),
    bytesPerSecond: fc.integer({ min: 2_000_000, max: 80_000_000 }),
  }),
  fc.record({
    kind: fc.constant('slice' as const),
    bytes: fc.integer({ min: 500, max: 20_000 }),
    variationBytes: fc.integer({ min: 0, max: 400 }),
    delayMs: fc.constantFrom(0, 0, 1),
  }),
  fc.record({ kind: fc.constant('slow-close' as const), delayMs: fc.integer({ min: 0, max: 10 }) }),
  fc.constant({ kind: 'limit' as const, bytes: 2 ** 50 }),
  fc.constant({ kind: 'reset' as const, afterMs: 2 ** 30 }),
  fc.constant({ kind: 'reset' as const, afterMs: 2 ** 30, from: 'start' as const }),
  fc.constant({ kind: 'corrupt' as const, share: 0 }),
);

/** One change of the faults of a pair. What it names is taken modulo what there is. */
export interface Change {
  readonly kind: 'add' | 'change' | 'remove' | 'clear';
  readonly which: number;
  readonly fault: Fault;
  readonly direction: 'up' | 'down' | 'both';
  readonly toxicity: number;
}

export const anyChange: fc.Arbitrary<Change> = fc.record({
  kind: fc.constantFrom('add', 'add', 'add', 'change', 'change', 'change', 'remove', 'remove', 'clear'),
  which: fc.nat(100),
  fault: faithfulFault,
  direction: fc.constantFrom('up', 'down', 'both'),
  toxicity: fc.constantFrom(1, 1, 0.5, 0),
});

let names = 0;

/** Makes a change, as far as it is possible with the faults that there are. */
export function makeChange(live: LiveFaults, { kind, which, fault, direction, toxicity }: Change): void {
  const { list } = live;
  const named = list[which % Math.max(1, list.length)];
  const before = which % 3 === 0 ? named?.name : undefined;
  if (kind === 'clear' && which % 5 === 0) live.clear();
  else if (kind === 'remove' && named) live.remove(named.name);
  else if (kind === 'change' && named) live.change(named.name, { fault, direction, toxicity });
  else if (list.length < 6)
    live.add({ name: `f${names++}`, direction, toxicity, fault }, { ...(before && { before }) });
  else if (named) live.remove(named.name);
}

/** Bytes that tell their place: the same ones for the same seed. */
export class Pattern {
  readonly #block: Buffer;

  constructor(random: Random) {
    // A length that has no common factor with those of chunks.
    this.#block = Buffer.from(Array.from({ length: 65_521 }, () => Math.floor(random() * 256)));
  }

  read(at: number, bytes: number): Buffer {
    const from = at % this.#block.length;
    const piece = this.#block.subarray(from, from + bytes);
    return piece.length === bytes
      ? piece
      : Buffer.concat([piece, this.read(at + piece.length, bytes - piece.length)]);
  }
}

/** A direction under load: bytes are written as fast as they are taken, until stop(). */
export interface Load {
  readonly bytes: () => number;
  readonly stop: () => void;
  /** Settles when the end has come; the number of bytes that arrived, all of them right. */
  readonly ended: Promise<number>;
}

/** Sends a pattern through a chain of faults to a reader that pauses now and then, and compares every byte. */
export function startLoad(chain: FaultChain, random: Random, limitBytes = Infinity): Load {
  const pattern = new Pattern(random);
  let sent = 0;
  let isStopped = false;
  const source = new Readable({
    read() {
      const bytes = Math.min(1 + Math.floor(random() * 40_000), limitBytes - sent);
      if (isStopped || bytes <= 0) {
        this.push(null);
        return;
      }
      const piece = pattern.read(sent, bytes);
      sent += bytes;
      // A turn for the others.
      setImmediate(() => this.push(piece));
    },
  });
  let received = 0;
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (!pattern.read(received, chunk.length).equals(chunk)) {
        done(new Error(`wrong bytes between ${received} and ${received + chunk.length}`));
        return;
      }
      received += chunk.length;
      if (random() < 0.1) setTimeout(done, 1);
      else setImmediate(done);
    },
  });
  chain.on('error', (error) => sink.destroy(error));
  source.pipe(chain).pipe(sink);
  const ended = finished(sink).then(() => {
    if (received !== sent) throw new Error(`${received} of ${sent} bytes arrived`);
    return received;
  });
  ended.catch(() => undefined);
  return { bytes: () => received, stop: () => void (isStopped = true), ended };
}

/** Opens a connection whose end by a fault is an error. */
export function openFaithful(live: LiveFaults, connection: number): ConnectionFaults {
  const fail = (how: string) => () => {
    throw new Error(`a fault has ${how} the connection`);
  };
  return live.open(connection, { close: fail('closed'), reset: fail('reset') });
}

/** Changes the faults of so many connections under load; resolves to the bytes that arrived, each of them right. */
export async function changeUnderLoad(count: number, connections: number, seed: number): Promise<number> {
  const random = createRandom(seed);
  const live = new LiveFaults({ seed });
  const open = Array.from({ length: connections }, (_, at) => openFaithful(live, at));
  const loads = open.flatMap(({ up, down }, at) => [
    startLoad(up, createRandom(seed, at, 'up')),
    startLoad(down, createRandom(seed, at, 'down')),
  ]);
  const changes = fc.sample(anyChange, { numRuns: 500, seed });
  for (let made = 0; made < count; made++) {
    const change = changes[Math.floor(random() * changes.length)]!;
    makeChange(live, { ...change, which: Math.floor(random() * 100) });
    // Several changes may come in one turn.
    if (random() < 0.7) await new Promise((resolve) => setImmediate(resolve));
  }
  live.clear();
  for (const load of loads) load.stop();
  const bytes = await Promise.all(loads.map(({ ended }) => ended));
  for (const one of open) one.close();
  return bytes.reduce((sum, one) => sum + one, 0);
}
