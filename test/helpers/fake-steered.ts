import { once } from 'node:events';
import net from 'node:net';
import { TnetError } from '../../src/errors.ts';
import { LiveFaults } from '../../src/handlers/relay/faults/live-faults.ts';
import type { Steered, SteeredPair, SteeringChange, WrittenSettings } from '../../src/control/steered.ts';

type FakePair = { -readonly [Key in keyof SteeredPair]: SteeredPair[Key] };

const none: SteeringChange = { connections: 0 };

/** A proxy that binds what it is told to, and serves nobody. */
export class FakeSteered implements Steered {
  readonly #pairs: FakePair[] = [];
  readonly #servers = new Map<string, net.Server>();

  get pairs(): readonly SteeredPair[] {
    return this.#pairs;
  }

  pair(name: string): FakePair {
    const found = this.#pairs.find((one) => one.name === name);
    if (!found) throw new TnetError('TNET_E_UNKNOWN_NAME', 'there is no such pair', { subject: name });
    return found;
  }

  async addPair(name: string, settings: WrittenSettings, { isEnabled = true } = {}): Promise<SteeredPair> {
    if (this.#pairs.some((one) => one.name === name))
      throw new TnetError('TNET_E_NAME_TAKEN', 'another pair has this name', { subject: name });
    const pair: FakePair = {
      name,
      isEnabled,
      settings,
      address: undefined,
      faults: new LiveFaults(),
      targets: [],
    };
    if (isEnabled) await this.#bind(pair, settings.listen);
    this.#pairs.push(pair);
    return pair;
  }

  async changePair(name: string, settings: WrittenSettings): Promise<SteeringChange> {
    const pair = this.pair(name);
    const merged = Object.entries({ ...pair.settings, ...settings }).filter(([, value]) => value !== null);
    const next = Object.fromEntries(merged);
    if (pair.isEnabled && next.listen !== pair.settings.listen) await this.#bind(pair, next.listen);
    pair.settings = next;
    return none;
  }

  async setEnabled(name: string, isEnabled: boolean): Promise<SteeringChange> {
    const pair = this.pair(name);
    if (isEnabled) await this.#bind(pair, pair.settings.listen);
    else this.#release(pair);
    pair.isEnabled = isEnabled;
    return none;
  }

  removePair(name: string): Promise<SteeringChange> {
    return Promise.resolve().then(() => {
      this.#release(this.pair(name));
      this.#pairs.splice(this.#pairs.indexOf(this.pair(name)), 1);
      return none;
    });
  }

  setTargetEnabled(): Promise<SteeringChange> {
    return Promise.resolve(none);
  }

  connections() {
    return [];
  }

  reset(): void {
    return undefined;
  }

  totals() {
    return { connections: 0, open: 0, sentBytes: 0, receivedBytes: 0, failed: 0, probes: 0, refused: {} };
  }

  resetTotals(): void {
    return undefined;
  }

  listen(): () => void {
    return () => undefined;
  }

  close(): void {
    for (const pair of this.#pairs) this.#release(pair);
  }

  async #bind(pair: FakePair, listen: unknown): Promise<void> {
    const [, host, port] = /^(.+):(\d+)$/.exec(String(listen)) ?? [];
    if (host === undefined || Number(port) > 65535)
      throw new TnetError('TNET_E_CONFIG', 'unknown service name', { subject: '/listen' });
    const server = net.createServer();
    server.listen(Number(port), host === 'localhost' ? '127.0.0.1' : host.replace(/^\[(.*)\]$/, '$1'));
    await once(server, 'listening');
    this.#release(pair);
    const { address, family, port: bound } = server.address() as net.AddressInfo;
    pair.address = family === 'IPv6' ? `[${address}]:${bound}` : `${address}:${bound}`;
    this.#servers.set(pair.name, server);
  }

  #release(pair: FakePair): void {
    this.#servers.get(pair.name)?.close();
    pair.address = undefined;
  }
}
