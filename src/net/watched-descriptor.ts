import { closeSync } from 'node:fs';
import type { NativeAddon } from '../native/addon.ts';
import type { ReceivedMessage, Watch } from '../native/messages.ts';
import { calling } from './message-calls.ts';

/** Called when the descriptor is ready for what was asked; once each time, and an error counts as both. */
export interface ReadyListeners {
  readonly onReadable?: () => void;
  readonly onWritable?: () => void;
}

const readable = 1;
const writable = 2;

/** A descriptor that keeps messages apart, in Node's event loop. Its owner closes it, which closes the descriptor. */
export class WatchedDescriptor {
  readonly fd: number;
  readonly #addon: NativeAddon;
  readonly #listeners: ReadyListeners;
  readonly #watch: Watch;
  /** What is waited for, and what the system has been asked for. */
  #wanted = 0;
  #asked = 0;
  #isClosed = false;

  constructor(addon: NativeAddon, fd: number, listeners: ReadyListeners) {
    this.#addon = addon;
    this.fd = fd;
    this.#listeners = listeners;
    this.#watch = calling(() => addon.watch(fd, (events) => this.#tell(events)));
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether to wait for something to read. */
  awaitReadable(on: boolean): void {
    this.#want(on ? this.#wanted | readable : this.#wanted & ~readable);
  }

  /** Waits until there is room to send, once. */
  awaitWritable(): void {
    this.#want(this.#wanted | writable);
  }

  /** False when there is no room for it now. @throws the system's error */
  send(bytes: Uint8Array, name?: Uint8Array): boolean {
    return calling(() => this.#addon.sendMessage(this.fd, bytes, name)) === 1;
  }

  /** The next message; undefined when there is none yet, null at the end. @throws the system's error */
  receive(): ReceivedMessage | undefined | null {
    return calling(() => this.#addon.receiveMessage(this.fd));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#addon.closeWatch(this.#watch);
    closeSync(this.fd);
  }

  #want(events: number): void {
    this.#wanted = events;
    if (this.#isClosed || events === this.#asked) return;
    this.#asked = events;
    calling(() => this.#addon.setWatch(this.#watch, events));
  }

  #tell(events: number): void {
    // The system tells an error once, and libuv then watches no more: the next call finds out what it was.
    if (events === 0) this.#asked = 0;
    const ready = (events || readable | writable) & this.#wanted;
    if (ready & writable) this.#wanted &= ~writable;
    if (ready & readable) this.#listeners.onReadable?.();
    if (ready & writable && !this.#isClosed) this.#listeners.onWritable?.();
    this.#want(this.#wanted);
  }
}
