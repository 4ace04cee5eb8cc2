/** What `tnet isip` says of one text when more is asked than its family: the ranges, the reason, the JSON object. */
import { type AddressClass, classifyAddress } from '../../src/address/class.ts';
import { explainFault } from '../../src/address/fault.ts';
import { type Embedded, embeddedIPv4, formatAddress, reverseName } from '../../src/address/address.ts';
import { type Block, type Prefix, parsePrefix, wholeAddress } from '../../src/address/prefix.ts';

/** What counts as yes. */
export interface Terms {
  /** The only family that counts; undefined = both. */
  readonly only: 4 | 6 | undefined;
  /** `--in`: an address counts when one of these holds it. Empty = every address counts. */
  readonly blocks: readonly Block[];
  /** `--invert` with `--in`: an address counts when none of the blocks holds it. */
  readonly isOutside: boolean;
  /** `--cidr`: `10.0.0.0/8` counts as an address does. */
  readonly takesPrefixes: boolean;
}

/** Why an answer is 0. */
export interface Reason {
  /** Stable, for programs. */
  readonly code: string;
  /** For people. */
  readonly text: string;
}

/** The answer to one text. */
export interface Verdict {
  readonly input: string;
  /** The family if the text counts under the terms, else 0. */
  readonly answer: 0 | 4 | 6;
  /** Undefined when the text is not an address at all. */
  readonly prefix: Prefix | undefined;
  /** Which of the blocks holds it. */
  readonly block: Block | undefined;
  /** Why an address does not count, or why a text could not be judged: what explainFault cannot know. */
  readonly reason: Reason | undefined;
}

/** Judges one text. Never throws. @param family what isIP says of it, where that is known */
export function judge(input: string, terms: Terms, family?: 0 | 4 | 6): Verdict {
  const prefix = wholeAddress(input, family) ?? (terms.takesPrefixes ? parsePrefix(input) : undefined);
  if (!prefix) return { input, answer: 0, prefix, block: undefined, reason: undefined };
  const block = terms.blocks.length === 0 ? undefined : terms.blocks.find((one) => one.covers(prefix));
  const reason = reasonOfTerms(prefix.family, block, terms);
  return { input, answer: reason ? 0 : prefix.family, prefix, block, reason };
}

function reasonOf({ input, prefix, reason }: Verdict): Reason | undefined {
  return reason ?? (prefix ? undefined : explainFault(input));
}

function reasonOfTerms(family: 4 | 6, block: Block | undefined, terms: Terms): Reason | undefined {
  if (terms.only !== undefined && terms.only !== family) {
    return { code: 'family', text: `it is IPv${family}, and -${terms.only} takes only IPv${terms.only}` };
  }
  if (terms.blocks.length === 0) return undefined;
  if (terms.isOutside) return block && { code: 'inside', text: `it is in ${block.text}` };
  if (block) return undefined;
  return { code: 'outside', text: `it is not in ${terms.blocks.map(({ text }) => text).join(' or ')}` };
}

/** The JSON object of a verdict, on one line. tnet-isip(1) describes the members. */
export function formatRecord(verdict: Verdict): string {
  const { input, answer, prefix, block } = verdict;
  const isPlain = prefix?.zone === undefined && prefix?.text === input ? true : plainText.test(input);
  const fault = reasonOf(verdict);
  // By hand: JSON.stringify takes longer for an object with this many members than everything else for a line.
  const json =
    `{"input":${isPlain ? `"${input}"` : JSON.stringify(input)},"yes":${answer !== 0}` +
    (prefix ? prefixText(prefix) : noPrefix) +
    `,"in":${block ? JSON.stringify(block.text) : 'null'},"fault":${fault ? JSON.stringify(fault) : 'null'}}`;
  // All else is made of what the input has, or of tnet's own words.
  return isPlain ? json : escapeUnprintable(json);
}

const noPrefix =
  ',"family":0,"canonical":null,"prefixLength":null,"zone":null,"class":null,"mapped":null,"embedded":null,"reverse":null';

/** The members that are about the address, or the block of them. */
function prefixText(prefix: Prefix): string {
  const { family, bits, text, zone } = prefix;
  const isBlock = bits < (family === 4 ? 32 : 128);
  // An IPv4 address has one form, and carries no other.
  const canonical = family === 4 ? text : formatAddress(prefix);
  const embedded = family === 4 ? undefined : embeddedIPv4(prefix);
  return (
    `,"family":${family},"canonical":"${canonical}","prefixLength":${isBlock ? bits : 'null'}` +
    `,"zone":${quote(zone)},"class":${classText(prefix)}` +
    (embedded
      ? `,"mapped":${embedded.kind === 'mapped' ? quote(formatAddress(embedded.address)) : 'null'}` +
        `,"embedded":${embeddedText(embedded)}`
      : ',"mapped":null,"embedded":null') +
    `,"reverse":${quote(reverseName(prefix, bits))}`
  );
}

/** What JSON has as it is, and a terminal too. */
const plainText = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** What has no letter that JSON would escape: an address, a zone, a name. */
function quote(text: string | undefined): string {
  return text === undefined ? 'null' : `"${text}"`;
}

const classTexts = new Map<AddressClass, string>();

function classText(prefix: Prefix): string {
  const found = classifyAddress(prefix);
  if (!found) return 'null';
  let text = classTexts.get(found);
  if (text === undefined) classTexts.set(found, (text = JSON.stringify(found)));
  return text;
}

function embeddedText({ kind, address }: Embedded): string {
  const text = formatAddress(address);
  return `{"kind":"${kind}","address":"${text}","class":${classText({ ...address, text, bits: 32 })}}`;
}

/** The line for people about a verdict of 0; undefined when the answer was yes. */
export function formatReason(verdict: Verdict): string | undefined {
  const reason = verdict.answer === 0 ? reasonOf(verdict) : undefined;
  if (!reason) return undefined;
  const { input } = verdict;
  const short = input.length > 100 ? `${input.slice(0, 99)}…` : input;
  const subject = /^[\x21-\x7e]+…?$/.test(short) ? short : escapeUnprintable(JSON.stringify(short));
  return `tnet isip: ${subject}: ${reason.text}`;
}

/** JSON.stringify leaves C1 controls and direction marks as they are, and terminals obey those. */
function escapeUnprintable(json: string): string {
  return json.replace(/[\x7f-\x9f\p{Cf}\p{Co}\u2028\u2029]/gu, (char) =>
    char
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}
