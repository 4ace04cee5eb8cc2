import { wholeAddress, type Prefix } from '../address/prefix.ts';
import { readEntries, type AccessEntry, type EntryOptions } from './access-entries.ts';

export interface AccessOptions extends EntryOptions {
  /** The words of every `--allow`; none: everybody is allowed. See readEntries. */
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
   * Why a client with this address is turned away, as a phrase; undefined when it is welcome. An address that is none
   * (a Unix client has no address) is only welcome where nothing is listed.
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
