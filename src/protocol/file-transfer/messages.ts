/**
 * The messages by which files are sent: docs/file-transfer.md says byte for byte what they look like, and in which
 * order they come.
 */

/** Each side's first bytes. The first is no letter and no text begins with it, as in PNG. */
export const MAGIC = Buffer.from('\x89TNETF\n', 'latin1');
export const VERSION = 1;

/** A type and the length of the body. */
export const HEAD_BYTES = 5;
export const HASH_BYTES = 32;
/** The longest name, in bytes of UTF-8: what file systems take. */
export const NAME_LIMIT_BYTES = 255;
/** The longest text for people. */
export const TEXT_LIMIT_BYTES = 512;
/** The longest body of one DATA message. */
export const DATA_LIMIT_BYTES = 1024 * 1024;
/** The most that a decoder keeps: the head and body of any message except DATA, whose bytes are passed on. */
export const BUFFER_LIMIT_BYTES = HEAD_BYTES + 1 + TEXT_LIMIT_BYTES;

/** Why a receiver does not take a file. The numbers are those on the wire. */
export const refusalCodes = {
  /** The name is not one that the receiver uses for a file. */
  name: 1,
  /** Another file has the name. */
  exists: 2,
  /** It is longer than the receiver allows. */
  'too-large': 3,
  /** There is not enough room for it. */
  'no-space': 4,
  /** A file of this name is being received at this moment. */
  busy: 5,
  /** What arrived is not what was sent: the hashes differ. */
  'wrong-hash': 6,
  /** The receiver's system failed. */
  failed: 7,
  /** The answer to a sender that has given the file up. */
  'given-up': 8,
} as const;
export type RefusalReason = keyof typeof refusalCodes;

/** What the sender says. */
export type SenderMessage =
  /** First of all: how many files follow. */
  | { readonly kind: 'start'; readonly files: number }
  | { readonly kind: 'offer'; readonly name: string; readonly bytes: number }
  /** The SHA-256 of as many first bytes of the file as the receiver said that it has. */
  | { readonly kind: 'prefix'; readonly hash: Buffer }
  /** Part of the file. One DATA message may come as several of these. */
  | { readonly kind: 'data'; readonly bytes: Buffer }
  /** The file is complete: the SHA-256 of all of it. */
  | { readonly kind: 'end'; readonly hash: Buffer }
  /** The rest of the file does not come. */
  | { readonly kind: 'give-up'; readonly text: string };

/** What the receiver says. */
export type ReceiverMessage =
  /** First of all. */
  | { readonly kind: 'ready' }
  /** So many first bytes of the file are here; what is their hash? */
  | { readonly kind: 'have'; readonly bytes: number }
  /** Send the file from here on. */
  | { readonly kind: 'want'; readonly offset: number }
  /** The file is complete, its hash is right, and it is in its place. */
  | { readonly kind: 'done' }
  | { readonly kind: 'refuse'; readonly reason: RefusalReason; readonly text: string };

/** The types on the wire. */
export const messageTypes = {
  offer: 0x01,
  prefix: 0x02,
  data: 0x03,
  end: 0x04,
  'give-up': 0x05,
  have: 0x81,
  want: 0x82,
  done: 0x83,
  refuse: 0x84,
} as const;
