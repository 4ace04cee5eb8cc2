import {
  coversAddress,
  coversName,
  hasPort,
  isOfAddresses,
  isOfNear,
  isTargetFile,
  joinPorts,
  parseTargetEntry,
  plainName,
  prepareAddress,
  type TargetEntry,
} from '../address/target-entry.ts';
import { isIP } from '../address/ip.ts';
import { accessError, readListed } from './listed.ts';

export interface TargetListOptions {
  /** The words of every `--allow-target`; none: every target is allowed. See readListed() and parseTargetEntry(). */
  readonly allow?: readonly string[] | undefined;
  /** The words of every `--deny-target`. */
  readonly deny?: readonly string[] | undefined;
}

/** What a client asks for: a host as it wrote it, or an address of that host. */
export interface AskedTarget {
  /** A name, or an address. */
  readonly host: string;
  readonly port: number;
  /** The address that would be connected to; undefined: it is not known, because another machine looks it up. */
  readonly address: string | undefined;
}

/**
 * What clients may ask for. A target may be connected to when the allow list holds its name or its address (or there
 * is none) and the deny list holds neither: a denial wins, as in an AccessList.
 */
export interface TargetList {
  /** Why a target is refused, as a phrase; undefined when it is not. */
  judge(target: AskedTarget): string | undefined;
  /** The same for a name whose address is not known yet: only what is certain for each address. */
  judgeName(host: string, port: number): string | undefined;
  /** Whether the allow list has an address for its own sake that is denied by default: loopback or link-local. */
  allowsNear(target: AskedTarget): boolean;
  /**
   * Reads files again; targets are judged by the old lists until then.
   *
   * @throws TnetError TNET_E_ACCESS; the old lists stay in force.
   */
  reload(): Promise<void>;
}

/**
 * Reads lists of targets.
 *
 * @throws TnetError TNET_E_ACCESS: a file or an entry cannot be read.
 */
export async function createTargetList(options: TargetListOptions): Promise<TargetList> {
  let lists = await readLists(options);
  return {
    judge: (target) => judge(lists, target),
    judgeName: (host, port) => judgeName(lists, host, port),
    allowsNear: (target) => allowsNear(lists, target),
    async reload() {
      lists = await readLists(options);
    },
  };
}

interface Lists {
  readonly allow: readonly TargetEntry[] | undefined;
  readonly deny: readonly TargetEntry[];
}

async function readLists({ allow, deny = [] }: TargetListOptions): Promise<Lists> {
  const read = (words: readonly string[]) =>
    readListed(words, { isFile: isTargetFile, join: joinPorts, read: readEntry });
  const [allowed, denied] = await Promise.all([allow && read(allow), read(deny)]);
  return { allow: allowed, deny: denied };
}

function readEntry(text: string, subject: string): TargetEntry {
  if (text === '') throw accessError(subject, 'the entry is empty');
  try {
    return parseTargetEntry(text);
  } catch (error) {
    throw accessError(subject, `${subject === text ? '' : `${text}: `}${(error as Error).message}`, error);
  }
}

const notAllowed = 'not allowed';

/** A host that was asked for by its address has no name. */
function nameOf(host: string): string | undefined {
  return isIP(host) === 0 ? plainName(host) : undefined;
}

function judge({ allow, deny }: Lists, { host, port, address }: AskedTarget): string | undefined {
  const name = nameOf(host);
  const known = address === undefined ? undefined : prepareAddress(address);
  const denial = deny
    .filter((entry) => hasPort(entry, port))
    .find(
      (entry) =>
        coversName(entry, name) || (known ? coversAddress(entry, known, true) : isOfAddresses(entry)),
    );
  if (denial) {
    const isUnknown = !known && !coversName(denial, name);
    return isUnknown
      ? `its address is looked up elsewhere, and ${denial.text} is denied`
      : `denied by ${denial.text}`;
  }
  const isAllowed = allow
    ?.filter((entry) => hasPort(entry, port))
    .some((entry) => coversName(entry, name) || (known !== undefined && coversAddress(entry, known, false)));
  return isAllowed === false ? notAllowed : undefined;
}

function judgeName({ allow, deny }: Lists, host: string, port: number): string | undefined {
  const name = nameOf(host);
  const denial = deny.find((entry) => hasPort(entry, port) && coversName(entry, name));
  if (denial) return `denied by ${denial.text}`;
  const may = (entry: TargetEntry) =>
    hasPort(entry, port) && (coversName(entry, name) || isOfAddresses(entry));
  return allow && !allow.some(may) ? notAllowed : undefined;
}

function allowsNear({ allow = [] }: Lists, { port, address = '' }: AskedTarget): boolean {
  const known = prepareAddress(address);
  if (!known) return false;
  return allow.some((entry) => hasPort(entry, port) && isOfNear(entry) && coversAddress(entry, known, false));
}
