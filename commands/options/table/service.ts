import { serviceNames } from '../../../src/protocol/small-services/services.ts';
import { readRate, type Rate } from '../../../src/quantities.ts';
import { anyEnd, type OptionTable } from '../row.ts';
import { choice, file, text, toggle, count, size, time } from '../value-kinds.ts';

/** What `tnet echo` serves. */
export const service = {
  service: {
    flags: '--service <name>',
    help: 'what to serve',
    value: choice(serviceNames),
    default: { value: 'echo', text: 'echo' },
    in: { echo: ['server'] },
    ends: anyEnd,
    modes: ['answers', 'workers'],
    test: 'cli/echo/echo.test.ts',
  },
  quoteFile: {
    flags: '--quote-file <file>',
    help: "qotd's quotes: one per line, or separated by lines of %",
    value: file,
    in: { echo: ['server'] },
    ends: anyEnd,
    modes: ['answers', 'workers'],
    needs: [{ anyOf: ['service qotd'], called: 'with --service qotd' }],
    test: 'cli/echo/echo.test.ts',
  },
  rate: {
    flags: '--rate <rate>',
    help: '100/s or none: connections that an address may make, with -u datagrams; with --ping, payloads (1/s)',
    value: text<Rate | 'none'>((written) => (written === 'none' ? 'none' : readRate(written)), '1/s'),
    in: { echo: ['server', 'client'] },
    ends: anyEnd,
    modes: ['answers', 'workers'],
    test: 'cli/echo/datagrams.test.ts',
  },
} as const satisfies OptionTable;

/** The client of an echo server. */
export const measuring = {
  ping: {
    flags: '--ping',
    help: 'measure the echo server at the address, and check every byte',
    value: toggle,
    in: { echo: ['client'] },
    ends: anyEnd,
    test: 'cli/echo/ping.test.ts',
  },
  count: {
    flags: '-c, --count <n>',
    help: 'send n payloads; default: until interrupted',
    value: count(1),
    in: { echo: ['client'] },
    ends: anyEnd,
    test: 'cli/echo/ping.test.ts',
  },
  size: {
    flags: '--size <size>',
    help: 'bytes of a payload',
    value: size,
    default: { value: 64, text: '64' },
    in: { echo: ['client'] },
    ends: anyEnd,
    test: 'cli/echo/ping.test.ts',
  },
  quit: {
    flags: '-q, --quit <time>',
    help: 'after the last payload, wait this long for what is missing',
    value: time,
    default: { value: 5_000, text: '5s' },
    in: { echo: ['client'] },
    ends: anyEnd,
    test: 'cli/echo/ping.test.ts',
  },
} as const satisfies OptionTable;
