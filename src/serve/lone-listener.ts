import { formatEndpoint } from '../address/endpoint.ts';
import { dial } from '../dial/dial.ts';
import type { Connection } from '../net/connection.ts';
import { awaitStatus, hangUpOnAbort, localEndOf } from '../net/local-end.ts';
import { serveClient } from './serve-client.ts';
import type { BoundListener, LoneEnding, ServeHost, Service } from './service.ts';

/**
 * An end that is no address for clients: a program, a file, a serial line, or our own stdin and stdout. It is its one
 * client itself, from the start.
 */
export class LoneListener implements BoundListener {
  readonly address: string;
  readonly over: Promise<LoneEnding>;
  readonly #client: Connection;
  readonly #host: ServeHost;
  #service: Service;
  #isStarted = false;
  #settle!: (ending: LoneEnding) => void;

  private constructor(client: Connection, service: Service, host: ServeHost) {
    this.address = formatEndpoint(service.listen);
    this.#client = client;
    this.#service = service;
    this.#host = host;
    this.over = new Promise((resolve) => (this.#settle = resolve));
    client.on('error', () => undefined);
  }

  /** Opens a service's end. @throws as dial() does */
  static async open(service: Service, host: ServeHost): Promise<LoneListener> {
    const { signal } = host;
    const client = await dial(service.listen, { signal, local: service.local });
    return new LoneListener(client, service, host);
  }

  start(): void {
    this.#isStarted = true;
    void this.#serve();
  }

  async #serve(): Promise<void> {
    const client = this.#client;
    const isServed = await serveClient(client, this.address, this.#service, this.#host);
    this.#settle({ isServed, status: await this.#awaitExit() });
  }

  /** A program may go on after its connection is over, unless everything has to end. */
  #awaitExit(): Promise<number> {
    hangUpOnAbort(this.#client, this.#host.signal);
    return awaitStatus(this.#client);
  }

  /** Its client stays the one that it is. */
  replaceService(service: Service): void {
    this.#service.close();
    this.#service = service;
  }

  reloadAccess(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  close(): void {
    this.#service.close();
    if (this.#isStarted) return;
    localEndOf(this.#client)?.hangUp?.();
    this.#client.destroy();
  }
}
