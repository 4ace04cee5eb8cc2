import { closeSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { TnetError } from '../errors.ts';
import { loadNativeAddon, nativeStatus, type NativeAddon } from '../native/addon.ts';

/**
 * The addon, for a kind of socket that needs it.
 *
 * @throws TnetError TNET_E_UNSUPPORTED without it
 */
export function requireMessages(subject: string): NativeAddon {
  const addon = loadNativeAddon();
  if (addon) return addon;
  const message = `this kind of socket needs the native addon: ${nativeStatus().reason ?? 'it is not there'}`;
  throw new TnetError('TNET_E_UNSUPPORTED', message, { subject });
}

/** An error of the addon with the `code` that Node's errors have. */
export function withCode(error: unknown): NodeJS.ErrnoException {
  const failure = error as NodeJS.ErrnoException;
  if (failure.code === undefined && failure.errno !== undefined)
    failure.code = getSystemErrorName(failure.errno);
  return failure;
}

/** Calls the addon. @throws what withCode() makes of its error */
export function calling<Result>(call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    throw withCode(error);
  }
}

/**
 * Opens a socket that keeps messages apart, and makes something of it.
 *
 * @param kind one of socketKinds
 * @throws what `use` throws, or the system's error; then nothing stays open
 */
export function openMessageSocket<Opened>(
  addon: NativeAddon,
  kind: number,
  use: (fd: number) => Opened,
): Opened {
  const fd = calling(() => addon.openSocket(kind));
  try {
    return calling(() => use(fd));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** A name as the addon takes it. */
export function nameBytes(path: string): Buffer {
  return Buffer.from(path);
}
