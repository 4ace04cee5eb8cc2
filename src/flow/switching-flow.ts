import type { Ending, Flow, FlowOptions } from './flow.ts';
import { handBackPair, spliceFlowPair, type SpliceFlow } from './splice-flow.ts';
import { startStreamFlow } from './stream-flow.ts';

/** The two opposite flows of a connection, whose transforms may be needed later, or never. */
export interface SwitchingPair {
  readonly flows: readonly [Flow, Flow];
  /** Has all bytes that are read from now on pass the transforms. May be called again. */
  readonly useTransforms: () => void;
}

/**
 * Starts two opposite flows in the native engine, without their transforms; once these are needed, both go on where they
 * stand, on Node streams. Where the engine cannot carry them, they are on Node streams from the beginning.
 *
 * @param onSwitch called when bytes begin to pass the transforms, unless that is at once: whether each of the two goes
 *   on, or has ended before
 */
export function startSwitchingPair(
  first: FlowOptions,
  second: FlowOptions,
  onSwitch: (goOn: readonly [boolean, boolean]) => void = () => undefined,
): SwitchingPair {
  const spliced = spliceFlowPair({ ...first, transforms: [] }, { ...second, transforms: [] });
  if (!spliced)
    return {
      flows: [startStreamFlow(first), startStreamFlow(second)],
      useTransforms: () => undefined,
    };
  const flows = [new SwitchingFlow(spliced[0], first), new SwitchingFlow(spliced[1], second)] as const;
  let isSwitched = false;
  const useTransforms = () => {
    if (isSwitched) return;
    isSwitched = true;
    const [one, other] = handBackPair(...spliced);
    onSwitch([one !== undefined, other !== undefined]);
    flows[0].goOn(one);
    flows[1].goOn(other);
  };
  return { flows, useTransforms };
}

class SwitchingFlow implements Flow {
  readonly ended: Promise<Ending>;
  readonly #options: FlowOptions;
  readonly #settle: (ending: Ending) => void;
  #current: Flow;
  /** What the flow before the current one has moved. */
  #before = { bytes: 0, bytesRead: 0 };
  #isFinished = false;

  constructor(spliced: SpliceFlow, options: FlowOptions) {
    const { promise, resolve } = Promise.withResolvers<Ending>();
    this.ended = promise;
    this.#settle = resolve;
    this.#options = options;
    this.#current = spliced;
    void spliced.ended.then((ending) => {
      // Nothing will pass them.
      for (const transform of options.transforms ?? []) transform.destroy();
      resolve(ending);
    });
  }

  get bytes(): number {
    return this.#before.bytes + this.#current.bytes;
  }

  get bytesRead(): number {
    return this.#before.bytesRead + this.#current.bytesRead;
  }

  get untakenBytes(): number {
    return this.#current.untakenBytes;
  }

  get blocked(): boolean {
    return this.#current.blocked;
  }

  stop(...how: Parameters<Flow['stop']>): void {
    this.#current.stop(...how);
  }

  finish(): void {
    this.#isFinished = true;
    this.#current.finish();
  }

  /** @param rest what the engine has read, and the sink not taken; undefined: the flow ends, or has ended, by itself */
  goOn(rest: Buffer | undefined): void {
    if (rest === undefined) return;
    const { bytes, bytesRead } = this.#current;
    const flow = startStreamFlow({ ...this.#options, before: rest });
    this.#before = { bytes, bytesRead };
    this.#current = flow;
    void flow.ended.then((ending) => this.#settle({ ...ending, bytes: bytes + ending.bytes }));
    if (this.#isFinished) flow.finish();
  }
}
