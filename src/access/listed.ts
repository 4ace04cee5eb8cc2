import { readFile } from 'node:fs/promises';
import { hideUserInfo, errorCode, TnetError } from '../errors.ts';

/** How the entries of a list are told apart and read. */
export interface EntryReader<Entry> {
  /** Whether an entry is the name of a file with more of them. */
  readonly isFile: (text: string) => boolean;
  /** Puts together what the commas within an entry have separated. Default: no entry has any. */
  readonly join?: (texts: readonly string[]) => readonly string[];
  /**
   * Reads an entry. Throws what accessError() makes.
   *
   * @param subject what an error is about: the entry, or the line of the file that it is in
   */
  readonly read: (text: string, subject: string) => Entry | Promise<Entry>;
}

/**
 * Reads the words of an option that takes a list: each holds entries with commas between them, and an entry may be a
 * file. A file is written with a slash (`./hosts`), and holds entries with blanks, commas or line breaks between them;
 * `#` begins a comment.
 *
 * @throws TnetError TNET_E_ACCESS, with the entry and, for one in a file, its line.
 */
export async function readListed<Entry>(
  words: readonly string[],
  reader: EntryReader<Entry>,
): Promise<Entry[]> {
  const { isFile, join = keepApart } = reader;
  const texts = words.flatMap((word) => join(word.split(',').map((text) => text.trim())));
  const read = texts.map((text) => (isFile(text) ? readEntryFile(text, reader) : reader.read(text, text)));
  return (await Promise.all<Entry | Entry[]>(read)).flat() as Entry[];
}

async function readEntryFile<Entry>(file: string, reader: EntryReader<Entry>): Promise<Entry[]> {
  const { join = keepApart, read } = reader;
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw accessError(file, `the file cannot be read (${errorCode(error) ?? 'ERROR'})`, error);
  });
  const entries = text.split('\n').flatMap((line, index) => {
    const found = line.replace(/#.*/, '').split(/[\s,]+/);
    return join(found.filter((entry) => entry !== '')).map((entry) => read(entry, `${file}:${index + 1}`));
  });
  return Promise.all(entries);
}

function keepApart(texts: readonly string[]): readonly string[] {
  return texts;
}

/** The error for a list that cannot be read. */
export function accessError(subject: string, message: string, cause?: unknown): TnetError {
  return new TnetError('TNET_E_ACCESS', message, { subject: hideUserInfo(subject), cause });
}
