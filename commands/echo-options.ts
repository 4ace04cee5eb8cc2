import { Option, type Command } from 'commander';
import type { Endpoint } from '../src/endpoint/endpoint.ts';
import { TnetError } from '../src/errors.ts';
import { serviceNames, type ServiceName } from '../src/protocol/small-services/index.ts';
import { readRate, type Rate } from '../src/quantities.ts';
import { addAccessOptions, type AccessFlags } from './access-options.ts';
import { addAdmissionOptions, type AdmissionFlags } from './admission-options.ts';
import { addBindOptions, type BindFlags } from './bind-options.ts';
import type { ReportOptions } from './context.ts';
import { addUdpOption, type DatagramFlags } from './datagram-options.ts';
import { addLiveOption } from './live-options.ts';
import { addOptions, addReportOptions } from './options.ts';
import type { ServerAddressOptions } from './server-address.ts';
import { addClientTrustOptions, type ClientSecureFlags } from './secure-options.ts';
import { asArgument, parseCount, parseSizeBytes, parseTimeMs } from './values.ts';

export interface EchoOptions
  extends
    ReportOptions,
    ServerAddressOptions,
    BindFlags,
    AccessFlags,
    AdmissionFlags,
    DatagramFlags,
    Pick<ClientSecureFlags, 'tlsServername' | 'tlsInsecure' | 'tlsPin'> {
  readonly maxConnections?: number;
  readonly reject?: boolean;
  readonly idle?: number;
  readonly service: ServiceName;
  readonly quoteFile?: string;
  readonly rate?: Rate | 'none';
  readonly live?: boolean;
  readonly ping?: boolean;
  readonly count?: number;
  /** Bytes of a payload. */
  readonly size: number;
  readonly quit: number;
  readonly timeout?: number;
  readonly waitConnect: number;
}

/** Adds every flag of `tnet echo`. */
export function addEchoOptions(command: Command): void {
  command.optionsGroup('Address:');
  addOptions(command, 'port', 'unix', 'ipv4', 'ipv6', 'numeric');
  addUdpOption(command);
  addBindOptions(command);
  command.optionsGroup('Service:');
  command
    .addOption(new Option('--service <name>', 'what to serve').choices(serviceNames).default('echo', 'echo'))
    .addOption(new Option('--quote-file <file>', "qotd's quotes: one a line, or parted by lines of %"))
    .addOption(
      new Option(
        '--rate <rate>',
        '100/s or none: with -u, datagrams that an address may send; with --ping, payloads (1/s)',
      ).argParser(parseRate),
    );
  addLiveOption(command);
  command.optionsGroup('Clients:');
  addOptions(command, 'idle', 'maxConnections', 'reject');
  addAccessOptions(command);
  command.optionsGroup('Measuring an echo:');
  command
    .addOption(new Option('--ping', 'measure the echo server at the address, and check every byte'))
    .addOption(
      new Option('-c, --count <n>', 'send n payloads; default: until interrupted').argParser(parseCount(1)),
    )
    .addOption(new Option('--size <size>', 'bytes of a payload').argParser(parseSizeBytes).default(64, '64'))
    .addOption(
      new Option('-q, --quit <time>', 'after the last payload, wait this long for what is missing')
        .argParser(parseTimeMs)
        .default(5_000, '5s'),
    );
  addOptions(command, 'connectLimit', 'timeout');
  command.optionsGroup('TLS and PROXY headers:');
  addAdmissionOptions(command);
  addClientTrustOptions(command);
  addReportOptions(command);
}

function parseRate(text: string): Rate | 'none' {
  return text === 'none' ? 'none' : asArgument(() => readRate(text));
}

/** Flags of the server alone, and of the client alone, by the name that commander gives their value. */
const serverFlags = [
  'port',
  'service',
  'quoteFile',
  'maxConnections',
  'reject',
  'mode',
  'retryBind',
  'pause',
  'readyFd',
  'readyFile',
  'allow',
  'deny',
  'live',
  'acceptProxy',
] as const;
const clientFlags = [
  'count',
  'size',
  'quit',
  'waitConnect',
  'timeout',
  'tlsServername',
  'tlsInsecure',
  'tlsPin',
] as const;

/**
 * Makes sure that --ping has no flags of a server.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function checkPingFlags(command: Command): void {
  const flag = findGiven(command, serverFlags);
  if (flag !== undefined) {
    throw new TnetError('TNET_E_USAGE', `${flag} is a server's, and --ping is a client`);
  }
}

/** The first of these flags that stands on the command line, as it is best known: `-m`, `--service`. */
function findGiven(command: Command, names: readonly string[]): string | undefined {
  const given = names.find((name) => command.getOptionValueSource(name) === 'cli');
  const option = command.options.find((one) => one.attributeName() === given);
  return option?.short ?? option?.long ?? undefined;
}

/** Flags that need connections. TLS is one of them by whichever of its flags. */
const connectionFlags = ['maxConnections', 'reject', 'idle', 'pause', 'acceptProxy'] as const;

/**
 * Makes sure that the flags go together and with where the server listens.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function checkServerFlags(
  options: EchoOptions,
  endpoints: readonly Endpoint[],
  command: Command,
): void {
  const usage = (message: string) => new TnetError('TNET_E_USAGE', message);
  const clientFlag = findGiven(command, clientFlags);
  if (clientFlag !== undefined) throw usage(`${clientFlag} goes with --ping`);
  if (options.reject && options.maxConnections === undefined) throw usage('--reject goes with -m');
  if (options.quoteFile !== undefined && options.service !== 'qotd') {
    throw usage('--quote-file goes with --service qotd');
  }
  if (endpoints.some(({ kind }) => kind === 'udp')) {
    const flag = findGiven(command, connectionFlags) ?? (options.tls ? '--tls' : undefined);
    if (flag !== undefined) throw usage(`${flag} is for connections, and UDP has none`);
  } else if (options.rate !== undefined) {
    throw usage('--rate limits datagrams: it goes with -u');
  }
}
