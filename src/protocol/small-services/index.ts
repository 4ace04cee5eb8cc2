import { chargenCycle, drawChargenDatagram } from './chargen.ts';
import { encodeTime, formatDaytime } from './clock.ts';
import { pickQuote } from './quotes.ts';

export { judgeSender } from './reflection.ts';
export { builtInQuotes, readQuotes } from './quotes.ts';
export { chargenCycle };

/** The small services of the early Internet. Source: RFC 862, 863, 864, 867, 868 and 865. */
export const serviceNames = ['echo', 'discard', 'chargen', 'daytime', 'time', 'qotd'] as const;

export type ServiceName = (typeof serviceNames)[number];

/** Services whose answer does not depend on what they are sent: one datagram, or what a connection is told. */
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

/** The answer to one datagram; undefined where there is none. */
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
