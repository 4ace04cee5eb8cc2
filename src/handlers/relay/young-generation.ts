import { setFlagsFromString } from 'node:v8';
import { nativeStatus } from '../../native/addon.ts';
import type { Pair } from './pair.ts';

/**
 * Keeps V8's room for new objects at its first size, one megabyte, where the native engine carries the bytes. It grows
 * to sixteen times three megabytes otherwise when connections come in numbers, and stays so: a third of what an open
 * connection costs. Where the bytes pass through JavaScript the room is left to grow: it saves them a fifth of the time.
 */
export function limitYoungGeneration(pairs: readonly Pair[]): void {
  const passBytes = ({ values, isFaulty }: Pair) =>
    isFaulty || values.tlsIn === true || values.tlsOut === true;
  if (nativeStatus().used && !pairs.some(passBytes)) setFlagsFromString('--semi-space-growth-factor=1');
}
