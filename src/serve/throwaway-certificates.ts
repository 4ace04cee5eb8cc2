import type { OwnCertificate } from '../dial/tls-files.ts';

/** A certificate with the host that it was made for, besides this machine's own names. */
export type HostCertificate = readonly [host: string, certificate: OwnCertificate];

/**
 * The throw-away certificates of one run: one for each host that is listened on, kept across reloads and shared by
 * all workers.
 */
export class ThrowawayCertificates {
  readonly #onMade: (fingerprint: string) => void;
  readonly #made = new Map<string, Promise<OwnCertificate>>();
  readonly #list = new Map<string, OwnCertificate>();

  /** @param onMade called for each one that is made here */
  constructor(onMade: (fingerprint: string) => void) {
    this.#onMade = onMade;
  }

  /** The finished ones, for another process to take over. */
  get list(): readonly HostCertificate[] {
    return [...this.#list];
  }

  /** Takes over what another process has made. */
  take(list: readonly HostCertificate[]): void {
    for (const [host, certificate] of list) this.#keep(host, certificate);
  }

  /** The certificate for a host; '' means only this machine's names. */
  get(host = ''): Promise<OwnCertificate> {
    const made = this.#made.get(host) ?? this.#make(host);
    this.#made.set(host, made);
    return made;
  }

  async #make(host: string): Promise<OwnCertificate> {
    const { createThrowawayCertificate } = await import('./throwaway-certificate.ts');
    const { fingerprint, ...certificate } = await createThrowawayCertificate(host);
    this.#onMade(fingerprint);
    this.#keep(host, certificate);
    return certificate;
  }

  #keep(host: string, certificate: OwnCertificate): void {
    this.#list.set(host, certificate);
    this.#made.set(host, Promise.resolve(certificate));
  }
}
