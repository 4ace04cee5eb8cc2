import { signatures } from './signatures.ts';

/** How many bytes are enough to tell every protocol apart; `need-more` is never said from here on. */
export const SNIFF_LIMIT_BYTES = 32;

/** A protocol that a client's first bytes give away. */
export type SniffedProtocol = keyof typeof signatures;

/** Every protocol that can be told, in the order in which they are tried. */
export const sniffedProtocols = Object.keys(signatures) as readonly SniffedProtocol[];

/** What {@link sniffProtocol} says. `unknown` also stands for protocols in which the server speaks first. */
export type Sniffed = SniffedProtocol | 'unknown' | 'need-more';

/**
 * Tells the protocol from the first bytes of a client, all that has come so far. Consumes nothing, and never changes
 * its mind: once it has said something other than `need-more`, more bytes give the same answer. A client that waits
 * for its server (SMTP, MySQL, SSH at times) sends nothing to sniff, so the caller needs a time limit.
 */
export function sniffProtocol(bytes: Buffer): Sniffed {
  for (const [name, match] of Object.entries(signatures)) {
    const found = match(bytes);
    if (found === 'maybe') return 'need-more';
    if (found === 'yes') return name as SniffedProtocol;
  }
  return 'unknown';
}
