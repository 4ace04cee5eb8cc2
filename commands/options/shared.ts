import { type Command, Option } from 'commander';
import { countUp, parseCount, parseTimeMs } from './values.ts';

/**
 * The flags that several commands share, each defined once: same letter, same meaning everywhere. Help, man pages and
 * completions come from these definitions or are tested against them.
 */
const shared = {
  ipv4: () => new Option('-4, --ipv4', 'use IPv4 only').conflicts('ipv6'),
  ipv6: () => new Option('-6, --ipv6', 'use IPv6 only').conflicts('ipv4'),
  numeric: () => new Option('-n, --numeric', 'no DNS: host names are refused'),
  unix: () => new Option('-U, --unix <path>', 'a Unix socket; @name is an abstract one'),
  port: () => new Option('-p, --port <port>', 'the port to listen on; 0 takes any free one'),
  maxConnections: () =>
    new Option('-m, --max-connections <n>', 'serve at most n connections at once').argParser(parseCount(1)),
  reject: () => new Option('--reject', 'with -m: reset clients over the limit instead of letting them wait'),
  connectLimit: () =>
    new Option('-w, --wait-connect <time>', 'limit for DNS and connecting, all addresses together')
      .argParser(parseTimeMs)
      .default(30_000, '30s'),
  idle: () =>
    new Option('-i, --idle <time>', 'end when no byte has moved for this long').argParser(parseTimeMs),
  quit: () =>
    new Option('-q, --quit <time>', 'end at most this long after the end of stdin').argParser(parseTimeMs),
  halfClose: () => new Option('-N', 'half-close at the end of stdin (the default, accepted for nc scripts)'),
  noShutdown: () => new Option('--no-shutdown', 'do not half-close at the end of stdin'),
  receiveOnly: () => new Option('-d, --recv-only', 'never read stdin').conflicts('sendOnly'),
  sendOnly: () =>
    new Option('--send-only', 'end once stdin is sent and acknowledged; drop what the peer sends').conflicts(
      'recvOnly',
    ),
  timeout: () =>
    new Option('--timeout <time>', 'end the whole run after this long, with status 124').argParser(
      parseTimeMs,
    ),
  keepSending: () =>
    new Option('--keep-sending', "after the peer's end, go on sending also from a terminal").conflicts(
      'endWithPeer',
    ),
  endWithPeer: () => new Option('--end-with-peer', 'end when the peer ends, with stdin still open'),
  crlf: () => new Option('-C, --send-crlf', 'send CRLF for each LF; a CRLF is left as it is'),
  crlfDirection: () =>
    new Option(
      '--crlf <direction>',
      'CRLF for LF: out when sending, in: LF for CRLF received, or both',
    ).choices(['in', 'out', 'both']),
  verbose: () => new Option('-v, --verbose', 'say more; -vv still more').default(0, 'off').argParser(countUp),
  json: () => new Option('--json', 'report events as JSON, one object a line, on stderr'),
  noColor: () => new Option('--no-color', 'no colour, even on a terminal'),
} as const;

export type SharedOption = keyof typeof shared;

/** Adds shared flags to a command, in the order given. */
export function addOptions(command: Command, ...names: SharedOption[]): Command {
  for (const name of names) command.addOption(shared[name]());
  return command;
}

/** What every command has. */
export function addReportOptions(command: Command): Command {
  return addOptions(command.optionsGroup('Reports:'), 'verbose', 'json', 'noColor');
}
