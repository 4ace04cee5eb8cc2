import type { ExecutionContext } from 'ava';
import type { Outcome } from './command.ts';

/** What two commands are run in: each gets the same, one after the other. */
export interface Scene {
  /** Programs that the scene itself needs. */
  readonly needs?: readonly string[];
  /** Whether ours, or the scene itself, needs the native addon. */
  readonly needsAddon?: true;
  /**
   * What ours must have written or sent, or its exit status: two commands that do nothing must not be taken for the same.
   */
  readonly proof: readonly string[] | number;
  readonly run: (t: ExecutionContext, command: string) => Promise<Outcome>;
}
