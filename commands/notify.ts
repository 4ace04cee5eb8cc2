import { closeSync } from 'node:fs';
import { parsePath } from '../src/address/parse.ts';
import { TnetError } from '../src/errors.ts';
import { socketKinds } from '../src/native/messages.ts';
import { calling, nameBytes, requireMessages } from '../src/net/message-calls.ts';

/** What systemd gives a service in its environment. Source: sd_notify(3), sd_watchdog_enabled(3). */
const variables = ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID'] as const;

/** How often a full queue of the service manager is tried, and with what pause. */
const triesMost = 20;
const tryMs = 50;

/** Called once, with what kept the service manager from being told. */
export type OnNotifyFailure = (subject: string, error: unknown) => void;

/**
 * Tells the service manager that started this process how the service is doing. It is only told: nothing waits for it,
 * and after a failure, which is reported, it is not told any more.
 */
export class ServiceManager {
  readonly #name: Buffer;
  readonly #send: (text: string, name: Buffer) => boolean;
  readonly #release: () => void;
  readonly #watchdogMs: number | undefined;
  readonly #onFailure: OnNotifyFailure;
  #watchdog: NodeJS.Timeout | undefined;
  #isReady = false;
  #isOver = false;

  /** @throws TnetError TNET_E_ADDRESS, TNET_E_UNSUPPORTED without the addon; the system's error */
  constructor(socketName: string, watchdogMs: number | undefined, onFailure: OnNotifyFailure) {
    if (!/^[/@]./.test(socketName))
      throw new TnetError('TNET_E_ADDRESS', 'only a path and an abstract name are supported', {
        subject: socketName,
      });
    this.#name = nameBytes(parsePath(socketName).path);
    const addon = requireMessages('NOTIFY_SOCKET');
    const fd = calling(() => addon.openSocket(socketKinds.datagram));
    this.#send = (text, name) => calling(() => addon.sendMessage(fd, Buffer.from(text), name)) === 1;
    this.#release = () => closeSync(fd);
    this.#watchdogMs = watchdogMs;
    this.#onFailure = onFailure;
  }

  /** All that the service is for is bound. From now on the watchdog is fed too. */
  ready(): void {
    this.#isReady = true;
    this.#tell('READY=1');
    if (this.#watchdogMs === undefined) return;
    // Half of the time, as sd_watchdog_enabled(3) recommends. It only shows that the event loop turns.
    this.#watchdog ??= setInterval(() => this.#tell('WATCHDOG=1'), this.#watchdogMs / 2).unref();
  }

  /** Runs a reload between the two messages that systemd expects for `Type=notify-reload`. */
  async reload(run: () => Promise<void>): Promise<void> {
    const isTold = this.#isReady;
    if (isTold) this.#tell(`RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    await run();
    if (isTold) this.#tell('READY=1');
  }

  /** The service ends. Only the first call does anything. */
  stopping(): void {
    if (this.#isOver) return;
    clearInterval(this.#watchdog);
    if (this.#isReady) this.#tell('STOPPING=1');
    this.#end();
  }

  #tell(text: string, tries = 0): void {
    if (this.#isOver) return;
    try {
      if (this.#send(text, this.#name)) return;
      if (tries >= triesMost) throw new TnetError('TNET_E_TIMEOUT', 'the service manager does not read');
      setTimeout(() => this.#tell(text, tries + 1), tryMs).unref();
    } catch (error) {
      this.#end();
      this.#onFailure('NOTIFY_SOCKET', error);
    }
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.#watchdog);
    this.#release();
  }
}

/**
 * The service manager that wants to be told, if there is one. Its variables are taken out of the environment: no child
 * of ours is meant.
 */
export function findServiceManager(
  onFailure: OnNotifyFailure,
  environment: NodeJS.ProcessEnv = process.env,
): ServiceManager | undefined {
  const { NOTIFY_SOCKET: name, WATCHDOG_USEC: microseconds, WATCHDOG_PID: pid } = environment;
  for (const variable of variables) Reflect.deleteProperty(environment, variable);
  if (name === undefined || name === '') return undefined;
  const isOurs = pid === undefined || pid === String(process.pid);
  const watchdogMs =
    isOurs && microseconds !== undefined && /^[1-9]\d{0,15}$/.test(microseconds)
      ? Number(microseconds) / 1000
      : undefined;
  try {
    return new ServiceManager(name, watchdogMs, onFailure);
  } catch (error) {
    onFailure('NOTIFY_SOCKET', error);
    return undefined;
  }
}
