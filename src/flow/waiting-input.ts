import { fstatSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { Socket } from '../net/index.ts';
import { descriptorOf } from '../net/tuning.ts';
import { loadNativeAddon } from '../native/addon.ts';

/**
 * How many bytes of an input have arrived and have not been read: those that its stream holds, and those that the
 * system holds. The native engine passes bytes straight on, so it has read none that a peer refuses.
 */
export async function waitingBytes(input: Readable): Promise<number> {
  if (input.readableEnded) return 0;
  const bytes = heldBytes(input);
  if (bytes > 0 || loadNativeAddon()) return bytes;
  // Without the addon only a read shows what a pipe holds, and it happens in the loop's next round.
  input.read(0);
  await setImmediate();
  await setImmediate();
  return input.readableLength;
}

function heldBytes(input: Readable): number {
  const { fd, bytesRead } = input as { fd?: unknown; bytesRead?: number };
  const descriptor = input instanceof Socket ? descriptorOf(input) : fd;
  return input.readableLength + (typeof descriptor === 'number' ? askSystem(descriptor, bytesRead) : 0);
}

/** Without the addon, only for a regular file; a read of it may be under way, so its position says nothing. */
function askSystem(fd: number, bytesRead = 0): number {
  try {
    const addon = loadNativeAddon();
    if (addon) return addon.unreadBytes(fd);
    const stat = fstatSync(fd);
    return stat.isFile() ? Math.max(0, stat.size - bytesRead) : 0;
  } catch {
    // A device, which does not say.
    return 0;
  }
}
