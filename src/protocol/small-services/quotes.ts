/** A quote is shorter than this, in bytes. Source: RFC 865, "Quote Syntax". */
const quoteLimitBytes = 512;

/** What is said when no file is given. */
export const builtInQuotes: readonly Buffer[] = readQuotes(
  [
    'The end of what one side says is not the end of what it hears.',
    'A byte that was accepted is owed to the reader.',
    'Be conservative in what you send: the other end was written by somebody else.',
    'A connection that is reset did not end; it broke.',
    'The network is reliable until the first time you look.',
    'An empty buffer waits for a reader. A full one waits for a writer who waits.',
    'A timeout is a guess about somebody else, made by your own clock.',
  ].join('\n'),
);

/**
 * Reads quotes from a text: parted by lines that hold only `%`, as fortune(6) has them, or without such lines one a
 * line. Lines end in CR LF afterwards.
 *
 * @throws Error with one sentence, when there is none, or one is as long as RFC 865 does not allow
 */
export function readQuotes(text: string): readonly Buffer[] {
  const lines = text.split(/\r?\n/);
  const quotes = lines.includes('%') ? text.split(/^%\r?$\n?/m) : lines;
  const encoded = quotes
    .map((quote) => quote.replace(/\s+$/, ''))
    .filter((quote) => quote !== '')
    .map((quote) => Buffer.from(`${quote.replaceAll(/\r?\n/g, '\r\n')}\r\n`));
  if (encoded.length === 0) throw new Error('there is no quote in it');
  const long = encoded.findIndex(({ length }) => length >= quoteLimitBytes);
  if (long >= 0) {
    const bytes = encoded[long]?.length ?? 0;
    throw new Error(`quote ${long + 1} has ${bytes} bytes, and fewer than ${quoteLimitBytes} are allowed`);
  }
  return encoded;
}

const dayMs = 86_400_000;

/** The quote of a day of UTC: each has its turn. */
export function pickQuote(quotes: readonly Buffer[], at: Date): Buffer {
  return quotes[Math.floor(at.getTime() / dayMs) % quotes.length] ?? Buffer.alloc(0);
}
