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
import { addOptions, addReportOptions } from './options.ts';
import type { ServerAddressOptions } from './server-address.ts';
import { asArgument } from './values.ts';

export interface EchoOptions
  extends ReportOptions, ServerAddressOptions, BindFlags, AccessFlags, AdmissionFlags, DatagramFlags {
  readonly maxConnections?: number;
  readonly reject?: boolean;
  readonly idle?: number;
  readonly service: ServiceName;
  readonly quoteFile?: string;
  readonly rate?: Rate | 'none';
}

/** Adds every flag of `tnet echo`. */
export function addEchoOptions(command: Command): void {
  command.optionsGroup('Address:');
  addOptions(command, 'port', 'unix', 'ipv4', 'ipv6', 'numeric');
  addUdpOption(command);
  command.optionsGroup('Service:');
  command
    .addOption(
      new Option('--service <name>', 'what to serve').choices(serviceNames).default('echo', 'echo, RFC 862'),
    )
    .addOption(new Option('--quote-file <file>', "qotd's quotes: one a line, or parted by lines of %"))
    .addOption(
      new Option(
        '--rate <rate>',
        'with -u: datagrams that one address may send, as 100/s, or none',
      ).argParser(parseRate),
    );
  addOptions(command, 'idle', 'maxConnections', 'reject');
  addBindOptions(command);
  addAccessOptions(command);
  command.optionsGroup('TLS and proxies:');
  addAdmissionOptions(command);
  command.optionsGroup('Reports:');
  addReportOptions(command);
}

function parseRate(text: string): Rate | 'none' {
  return text === 'none' ? 'none' : asArgument(() => readRate(text));
}

/** Flags that need connections, by the name that commander gives their value. */
const connectionFlags: Readonly<Record<string, string>> = {
  maxConnections: '-m',
  reject: '--reject',
  idle: '-i',
  pause: '--pause',
  acceptProxy: '--accept-proxy',
  tls: '--tls',
};

/**
 * Makes sure that the flags go together and with where the server listens.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function checkServerFlags(options: EchoOptions, endpoints: readonly Endpoint[]): void {
  const usage = (message: string) => new TnetError('TNET_E_USAGE', message);
  const given = (name: string) => (options as unknown as Record<string, unknown>)[name] !== undefined;
  if (options.reject && options.maxConnections === undefined) throw usage('--reject goes with -m');
  if (options.quoteFile !== undefined && options.service !== 'qotd') {
    throw usage('--quote-file goes with --service qotd');
  }
  if (endpoints.some(({ kind }) => kind === 'udp')) {
    const flag = Object.entries(connectionFlags).find(([name]) => given(name))?.[1];
    if (flag !== undefined) throw usage(`${flag} is for connections, and UDP has none`);
  } else if (options.rate !== undefined) {
    throw usage('--rate limits datagrams: it goes with -u');
  }
}
