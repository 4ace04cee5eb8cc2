import type { Steered } from '../steered.ts';
import type { EventFeeds } from './event-feeds.ts';
import type { TapFeeds } from './tap-feeds.ts';

/** What the routes work with. */
export interface ControlContext {
  readonly steered: Steered;
  readonly feeds: EventFeeds;
  readonly taps: TapFeeds;
}
