/** The small services of the early Internet. Source: RFC 862, 863, 864, 867, 868 and 865. */
export const serviceNames = ['echo', 'discard', 'chargen', 'daytime', 'time', 'qotd'] as const;

export type ServiceName = (typeof serviceNames)[number];

/** Services whose answer does not depend on what they are sent: one datagram, or what they send on a connection. */
export type TellingService = Extract<ServiceName, 'daytime' | 'time' | 'qotd'>;

/** What `daytime`, `time` or `qotd` says at a moment. */
export function tell(service: TellingService, at: Date, quotes: readonly Buffer[]): Buffer {
  switch (service) {
    case 'daytime':
      return Buffer.from(formatDaytime(at), 'latin1');
    case 'time':
      return encodeTime(at);
    case 'qotd':
      return pickQuote(quotes, at);
  }
}

/** What an answer over UDP may depend on beside the datagram. */
export interface AnswerCircumstances {
  readonly at: Date;
  /** From 0 to below 1. */
  readonly random: number;
  readonly quotes: readonly Buffer[];
}

/** The answer to one datagram; undefined when there is none. */
export function answerDatagram(
  service: ServiceName,
  datagram: Buffer,
  { at, random, quotes }: AnswerCircumstances,
): Buffer | undefined {
  if (service === 'discard') return undefined;
  if (service === 'echo') return datagram;
  if (service === 'chargen') return drawChargenDatagram(random);
  return tell(service, at, quotes);
}

/** The printing characters of ASCII, the space first, which chargen's lines rotate through. */
const ring = Array.from({ length: 95 }, (_, index) => String.fromCharCode(0x20 + index)).join('');

/** Source: RFC 864, "Data Syntax": lines of 72 characters, each begun one character later, ended by CR LF. */
const lineCharacters = 72;

/** The text after which chargen's lines repeat: 95 lines of 74 bytes. */
export const chargenCycle: Buffer = Buffer.from(
  Array.from({ length: ring.length }, (_, line) => `${lineAt(line)}\r\n`).join(''),
  'latin1',
);

function lineAt(line: number): string {
  return (ring.slice(line) + ring).slice(0, lineCharacters);
}

/** The most bytes of an answer over UDP. Source: RFC 864, "UDP Based Character Generator Service". */
const maxChargenDatagram = 512;

/**
 * A number of bytes from 0 to maxChargenDatagram, each as likely as the other, from the beginning of the cycle.
 *
 * @param random from 0 to below 1
 */
function drawChargenDatagram(random: number): Buffer {
  return chargenCycle.subarray(0, Math.floor(random * (maxChargenDatagram + 1)));
}

/** Seconds from 1900, where the Time Protocol counts from, to 1970, where a Date does. Source: RFC 868. */
const secondsTo1970 = 2_208_988_800;

/**
 * The time as the Time Protocol sends it: seconds since the beginning of 1900 in UTC, 32 bits, the most significant
 * byte first. It wraps around on 2036-02-07. Source: RFC 868.
 */
function encodeTime(at: Date): Buffer {
  const seconds = Math.floor(at.getTime() / 1000) + secondsTo1970;
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(seconds >>> 0);
  return bytes;
}

const weekdays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const;
const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;

/**
 * The time as one line, in UTC and in the first form that RFC 867 suggests:
 * `Monday, February 22, 1982 17:37:43-UTC` and CR LF.
 */
function formatDaytime(at: Date): string {
  const weekday = weekdays[at.getUTCDay()] ?? '';
  const month = months[at.getUTCMonth()] ?? '';
  const clock = at.toISOString().slice(11, 19);
  return `${weekday}, ${month} ${at.getUTCDate()}, ${at.getUTCFullYear()} ${clock}-UTC\r\n`;
}

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
 * Reads quotes from a text: separated by lines that contain only `%`, as fortune(6) has them, or without such lines one a
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
  if (encoded.length === 0) throw new Error('there are no quotes in it');
  const long = encoded.findIndex(({ length }) => length >= quoteLimitBytes);
  if (long >= 0) {
    const bytes = encoded[long]?.length ?? 0;
    throw new Error(`quote ${long + 1} has ${bytes} bytes, and fewer than ${quoteLimitBytes} are allowed`);
  }
  return encoded;
}

const dayMs = 86_400_000;

/** The quote of a day of UTC: each has its turn. */
function pickQuote(quotes: readonly Buffer[], at: Date): Buffer {
  return quotes[Math.floor(at.getTime() / dayMs) % quotes.length] ?? Buffer.alloc(0);
}
