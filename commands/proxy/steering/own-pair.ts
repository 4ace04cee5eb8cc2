import type { SteeredPair, SteeredTarget, WrittenSettings } from '../../../src/control/steered.ts';
import { TnetError } from '../../../src/errors.ts';
import { FixedFaults, type LiveFaults } from '../../../src/handlers/relay/faults/live-faults.ts';
import type { RelayService } from '../../../src/handlers/relay/service.ts';
import { listTargets, setTargetEnabled } from '../../../src/handlers/relay/targets/states.ts';
import { formatTarget } from '../../../src/handlers/relay/targets/target.ts';
import type { Listeners } from '../../../src/serve/listeners.ts';
import { isFaultSetting, type PairState } from './state.ts';

/** A pair as those who steer it see it: the same object as long as the pair is there. */
export class OwnPair implements SteeredPair {
  readonly name: string;
  /** What holds. */
  state: PairState;
  readonly #listeners: Listeners<RelayService>;

  constructor(name: string, state: PairState, listeners: Listeners<RelayService>) {
    this.name = name;
    this.state = state;
    this.#listeners = listeners;
  }

  get isEnabled(): boolean {
    return this.state.isEnabled;
  }

  get address(): string | undefined {
    const { service } = this.state;
    return service && this.#listeners.addressOf(service);
  }

  get settings(): WrittenSettings {
    const { settings, faults } = this.state;
    if (faults instanceof FixedFaults) return settings;
    return Object.fromEntries(Object.entries(settings).filter(([name]) => !isFaultSetting(name)));
  }

  get faults(): LiveFaults {
    return this.state.faults;
  }

  /** Its targets with what this process knows of each, in their order. */
  get targets(): readonly SteeredTarget[] {
    const { service } = this.state;
    return service ? listTargets(service) : listWrittenTargets(this.state);
  }

  /**
   * @param elsewhere does the same in the processes that serve the pair. Default: this one does
   * @throws TnetError TNET_E_UNKNOWN_NAME
   */
  async setTargetEnabled(
    address: string,
    isEnabled: boolean,
    elsewhere?: () => Promise<boolean>,
  ): Promise<void> {
    const { service, disabledTargets: before } = this.state;
    const disabledTargets = new Set(before);
    if (isEnabled) disabledTargets.delete(address);
    else disabledTargets.add(address);
    // First: a process that is started meanwhile is told so.
    this.state = { ...this.state, disabledTargets };
    const isThere = elsewhere
      ? await elsewhere()
      : service
        ? setTargetEnabled(service, address, isEnabled)
        : this.targets.some((target) => target.address === address);
    if (isThere) return;
    this.state = { ...this.state, disabledTargets: before };
    throw new TnetError('TNET_E_UNKNOWN_NAME', 'the pair has no target of this address', {
      subject: address,
    });
  }
}

/** The targets of a pair of which nothing more is known. */
export function listWrittenTargets({ pair, disabledTargets }: PairState): readonly SteeredTarget[] {
  return pair.targets.map((target) => ({
    address: formatTarget(target),
    isEnabled: !disabledTargets.has(formatTarget(target)),
    isUp: undefined,
    connections: 0,
    settings: target.settings ?? {},
  }));
}
