import { existsSync } from 'node:fs';
import { hideUserInfo } from '../errors.ts';
import { isIP } from '../address/ip.ts';
import { lookupAll } from '../net/lookup.ts';
import { explainNumericForm } from '../address/host-rules.ts';
import {
  blockOf,
  parseBlock,
  unmapPrefix,
  type Block,
  wholeAddress,
  type Prefix,
} from '../address/prefix.ts';
import { accessError, readListed } from './listed.ts';

/** One entry of an access list, with the addresses that it covers. */
export interface AccessEntry {
  /** As it was written. */
  readonly text: string;
  /** One for an address or a CIDR block; every address of a host name. */
  readonly blocks: readonly Block[];
}

export interface EntryOptions {
  /** Refuse host names: no DNS. Default false. */
  readonly numericOnly?: boolean | undefined;
}

/**
 * Reads the words of `--allow` or `--deny`, see readListed(): an entry is a CIDR block, an address, a host name, or a
 * file. Host names are looked up now.
 *
 * @throws TnetError TNET_E_ACCESS, with the entry and, for one in a file, its line.
 */
function readEntries(words: readonly string[], options: EntryOptions = {}): Promise<AccessEntry[]> {
  return readListed(words, { isFile, read: (text, subject) => readEntry(text, subject, options) });
}

/** `10.0.0.0/99` is a block with a mistake, not a file. */
function isFile(text: string): boolean {
  return text.includes('/') && isIP(text.slice(0, text.lastIndexOf('/'))) === 0;
}

async function readEntry(text: string, subject: string, options: EntryOptions): Promise<AccessEntry> {
  const where = subject === text ? '' : `${hideUserInfo(text)}: `;
  if (text === '') throw accessError(subject, 'the entry is empty');
  if (text.includes('/') || isIP(text) !== 0) {
    try {
      return { text, blocks: [unmapBlock(parseBlock(text))] };
    } catch (error) {
      throw accessError(subject, `${where}${(error as Error).message}`, error);
    }
  }
  const form = explainNumericForm(text);
  if (form !== undefined) throw accessError(subject, form);
  if (options.numericOnly) throw accessError(subject, `${where}not an IP address, and -n forbids DNS`);
  try {
    const addresses = await lookupAll(text);
    return { text, blocks: addresses.map(({ address }) => parseBlock(address)) };
  } catch (error) {
    const hint = existsSync(text) ? `; for the file of that name, write ./${text}` : '';
    throw accessError(subject, `${where}the host name is not found${hint}`, error);
  }
}

/**
 * A client appears with its IPv4 address or with the mapped form, depending on the socket: both belong to the same
 * block.
 */
function unmapBlock({ prefix, text }: Block): Block {
  return blockOf(unmapPrefix(prefix), text);
}

export interface AccessOptions extends EntryOptions {
  /** The words of every `--allow`; none: every client is allowed. See readEntries. */
  readonly allow?: readonly string[] | undefined;
  /** The words of every `--deny`. */
  readonly deny?: readonly string[] | undefined;
}

/**
 * Who may connect. A client is served when the allow list holds its address (or there is none) and the deny list does
 * not: a denial wins, as with ncat 7.93 (whose manual says the opposite). An IPv4 entry holds the IPv4-mapped form of
 * its addresses too.
 */
export interface AccessList {
  /** How many entries are in force. */
  readonly allowed: number;
  readonly denied: number;
  /** What is in force, as blocks alone; undefined: there is no such list. */
  readonly blocks: {
    readonly allow: readonly Prefix[] | undefined;
    readonly deny: readonly Prefix[] | undefined;
  };
  /**
   * Why a client with this address is refused, as a phrase; undefined when it is admitted. A client without an
   * address (a Unix client has none) is admitted only when nothing is listed.
   */
  judge(address: string | undefined): string | undefined;
  /**
   * Reads files and host names again; clients are judged by the old lists until then.
   *
   * @throws TnetError TNET_E_ACCESS; the old lists stay in force.
   */
  reload(): Promise<void>;
}

/**
 * Reads access lists.
 *
 * @throws TnetError TNET_E_ACCESS: a file, an entry or a host name cannot be read.
 */
export async function createAccessList(options: AccessOptions): Promise<AccessList> {
  let lists = await readLists(options);
  return {
    get allowed() {
      return lists.allow?.length ?? 0;
    },
    get denied() {
      return lists.deny?.length ?? 0;
    },
    get blocks() {
      return { allow: lists.allow && findBlocks(lists.allow), deny: lists.deny && findBlocks(lists.deny) };
    },
    judge: (address) => judge(lists, address),
    async reload() {
      lists = await readLists(options);
    },
  };
}

interface Lists {
  readonly allow: readonly AccessEntry[] | undefined;
  readonly deny: readonly AccessEntry[] | undefined;
}

async function readLists({ allow, deny, ...options }: AccessOptions): Promise<Lists> {
  const [allowed, denied] = await Promise.all([
    allow && readEntries(allow, options),
    deny && readEntries(deny, options),
  ]);
  return { allow: allowed, deny: denied };
}

function judge({ allow, deny }: Lists, address: string | undefined): string | undefined {
  const client = wholeAddress(address ?? '');
  if (!client) return (allow ?? deny) ? 'it has no address' : undefined;
  const denial = deny?.find((entry) => covers(entry, client));
  if (denial) return `denied by ${denial.text}`;
  if (!allow || allow.some((entry) => covers(entry, client))) return undefined;
  return 'not allowed';
}

function findBlocks(entries: readonly AccessEntry[]): Prefix[] {
  return entries.flatMap(({ blocks }) => blocks.map(({ prefix }) => prefix));
}

function covers({ blocks }: AccessEntry, client: Prefix): boolean {
  return blocks.some((block) => block.covers(client));
}
