import type { RelayOptions } from '../service.ts';
import type { TargetState } from './target-settings.ts';
import type { Upstream } from './upstream.ts';

type Owner = Pick<RelayOptions, 'upstream' | 'routes'>;

/** The targets of a relay, those of its routes included, each once. */
export function listTargets(owner: Owner): TargetState[] {
  const states = new Map<string, TargetState>();
  for (const state of upstreamsOf(owner).flatMap(({ targets }) => targets)) {
    const same = states.get(state.address);
    const connections = state.connections + (same?.connections ?? 0);
    states.set(state.address, { ...state, ...same, connections });
  }
  return [...states.values()];
}

/**
 * Whether new clients may be given to a target of a relay, wherever the relay has it. See Upstream#setEnabled().
 *
 * @returns false: there is no such target
 */
export function setTargetEnabled(owner: Owner, address: string, isEnabled: boolean): boolean {
  return upstreamsOf(owner)
    .map((upstream) => upstream.setEnabled(address, isEnabled))
    .includes(true);
}

function upstreamsOf({ upstream, routes }: Owner): Upstream[] {
  return [...(upstream ? [upstream] : []), ...(routes?.values() ?? [])];
}
