import type { Recorder } from '../../record/recording.ts';
import type { ServeHost } from '../../serve/service.ts';
import type { LoopWatch } from './targets/rules.ts';

/** What the parts of a relay share. */
export interface ProxyHost extends ServeHost {
  /** Detects relays that lead back to themselves. Default: they are not detected. */
  readonly loops?: LoopWatch;
  /** Where the bytes of every connection are recorded or shown. Default: nowhere. */
  readonly recordings?: readonly Recorder[];
}

/** A host whose dials end with the signal too. */
export function withSignal(host: ProxyHost, signal: AbortSignal): ProxyHost {
  return { ...host, signal: AbortSignal.any([host.signal, signal]) };
}
