import { closeSync, constants, fstatSync, openSync, statSync } from 'node:fs';
import { formatEndpoint, type Endpoint, type SerialSettings } from '../../address/endpoint.ts';
import { errorCode, ExplainedError, TnetError } from '../../errors.ts';
import type { NativeAddon } from '../../native/addon.ts';
import { guarded } from '../../net/guard.ts';
import { setLocalEnd } from '../../net/local-end.ts';
import { rejectOn } from '../../net/deadline.ts';
import type { DialKind } from '../dial-kind.ts';
import { Bridge, requireAddon } from './bridge.ts';

type SerialEndpoint = Extract<Endpoint, { kind: 'serial' }>;

/** How often to look whether all has been sent. */
const drainLookMs = 10;

/** How long a line may take for what was read when its connection is cut off. */
const cutMs = 2_000;

/** How far the speed may be from what was asked for: a UART that is off by more loses the middle of a bit. */
const mostSpeedError = 0.02;

/** Room for the system's settings of a line, whatever the architecture. */
const settingsBytes = 64;

/** The lines of this process whose connection is over, by device number: settles when the line is free. */
const leaving = new Map<number, Promise<void>>();

/**
 * Opens a serial line, alone, and sets it. One that this process is about to give back, once it has sent everything, is
 * waited for. Its modem lines stay as they are, and its settings are given back at the
 * end. A line has no end of data to send: what was written is sent to the last bit, and the line stays open for what
 * comes; with `quietMs`, until nothing has come for that long. It ends when the device goes away.
 *
 * @throws the system's error (`ENOENT`, `EACCES`, `EBUSY`, …), TnetError TNET_E_UNSUPPORTED, TNET_E_ADDRESS
 */
export const dialSerial: DialKind<'serial'> = async (endpoint, { local }, { signal }) => {
  const addon = requireAddon(formatEndpoint(endpoint), 'a serial line');
  // Of several that wait, one has it next.
  for (let left = findLeaving(endpoint.path); left; left = findLeaving(endpoint.path))
    await Promise.race([left, rejectOn(signal)]);
  const line = openLine(addon, endpoint);
  const { fd } = line;
  const { rdev: device } = fstatSync(fd);
  const freed = Promise.withResolvers<undefined>();
  const leave = () => {
    if (!isOver) leaving.set(device, freed.promise);
  };
  let drops = false;
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const release = (isCut: boolean) => {
    process.off('exit', releaseNow);
    isOver = true;
    addon.releaseSerial(fd, line.found, isCut ? 1 : 0);
    closeSync(fd);
    leaving.delete(device);
    freed.resolve(undefined);
  };
  // The process ends in a hurry.
  const releaseNow = () => release(true);
  process.on('exit', releaseNow);
  const bridge = new Bridge(addon, fd, {
    onInputOver(isWhole) {
      if (isWhole) whenSent(addon, fd, Infinity, watchQuiet);
    },
    onOutputOver(by) {
      clearTimeout(timer);
      endOutput();
      // A user that has closed after its end has still to be sent.
      if (by === 'device') bridge.stopInput();
    },
    onOver() {
      // What was read of a stream that is cut off has a limit: a line may be held up by its flow control.
      if (drops) release(true);
      else whenSent(addon, fd, bridge.isCut ? cutMs : Infinity, (isSent) => release(!isSent));
    },
  });
  const endOutput = () => {
    leave();
    bridge.endOutput();
  };
  bridge.socket.once('close', () => {
    leave();
    if (bridge.isCut)
      setTimeout(
        guarded(() => bridge.stopInput()),
        drops ? 0 : cutMs,
      );
  });
  const watchQuiet = (): void => {
    const { quietMs } = local ?? {};
    if (quietMs === undefined || isOver) return;
    const before = bridge.bytesRead;
    const look = () => (bridge.bytesRead === before ? endOutput() : watchQuiet());
    timer = setTimeout(guarded(look), quietMs);
  };
  setLocalEnd(bridge.socket, {
    hangUp() {
      drops = true;
      leave();
    },
  });
  return bridge.socket;
};

function findLeaving(path: string): Promise<void> | undefined {
  const { rdev } = statSync(path, { throwIfNoEntry: false }) ?? {};
  return rdev === undefined ? undefined : leaving.get(rdev);
}

/** Calls back when the line has sent everything or is gone, or with false when the limit is over. */
function whenSent(addon: NativeAddon, fd: number, limitMs: number, then: (isSent: boolean) => void): void {
  const startedAt = performance.now();
  const look = () => {
    let left = 0;
    try {
      left = addon.unsentBytes(fd);
    } catch {
      // It is gone.
    }
    const isLate = performance.now() - startedAt > limitMs;
    if (left > 0 && !isLate) setTimeout(guarded(look), drainLookMs);
    else then(left === 0);
  };
  look();
}

/** Opens and sets a line; `found` is how it was set. */
function openLine(addon: NativeAddon, endpoint: SerialEndpoint): { fd: number; found: Buffer } {
  const subject = formatEndpoint(endpoint);
  // It must not wait for a carrier, nor become our terminal.
  const fd = openSync(endpoint.path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  const found = Buffer.alloc(settingsBytes);
  try {
    const speed = addon.claimSerial(fd, toNumbers(endpoint), found);
    const { baud = speed } = endpoint;
    if (Math.abs(speed - baud) <= baud * mostSpeedError) return { fd, found };
    addon.releaseSerial(fd, found, 0);
    const message = `the device cannot do ${baud} bits a second: the nearest that it has is ${speed}`;
    throw new TnetError('TNET_E_ADDRESS', message, { subject });
  } catch (error) {
    closeSync(fd);
    throw explain(error, subject);
  }
}

function toNumbers({ baud = -1, framing, flow }: SerialSettings): Int32Array {
  const [bits, parity, stop] = framing ?? [];
  return Int32Array.of(
    baud,
    bits === undefined ? -1 : Number(bits),
    parity === undefined ? -1 : 'NEO'.indexOf(parity),
    stop === undefined ? -1 : Number(stop),
    flow === undefined ? -1 : ['none', 'rtscts', 'xonxoff'].indexOf(flow),
  );
}

/** The addon's errors have a number and no code. Source: errno(3). */
function explain(error: unknown, subject: string): unknown {
  if (error instanceof TnetError) return error;
  const code = errorCode(error);
  const { errno } = error as NodeJS.ErrnoException;
  if (code === undefined && errno === -25)
    return new TnetError('TNET_E_ADDRESS', 'this is not a serial line', { subject, cause: error });
  if (code === undefined && errno === -16)
    return new ExplainedError(Object.assign(error as Error, { code: 'EBUSY' }), 'the line is in use');
  return error;
}
