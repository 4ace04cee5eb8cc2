import type { Readable } from 'node:stream';
import { Socket } from '../net/index.ts';
import { descriptorOf } from '../net/tuning.ts';
import { loadNativeAddon } from './native-addon.ts';

/**
 * How many bytes of an input have come and have not been read: those that its stream holds, and with the addon those that
 * the system does. The native engine moves bytes straight on, so it has read none of those that a peer refuses.
 */
export function waitingBytes(input: Readable): number {
  const { readableLength } = input;
  const fd = input instanceof Socket ? descriptorOf(input) : (input as { fd?: unknown }).fd;
  if (typeof fd !== 'number' || input.readableEnded) return readableLength;
  try {
    return readableLength + (loadNativeAddon()?.unreadBytes(fd) ?? 0);
  } catch {
    // A device, which does not say.
    return readableLength;
  }
}
