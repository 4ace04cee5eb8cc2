import { Option, type Command } from 'commander';
import type { Endpoint } from '../../src/address/endpoint.ts';
import { serviceNames, type ServiceName } from '../../src/protocol/small-services/services.ts';
import { readRate, type Rate } from '../../src/quantities.ts';
import { addAccessOptions, type AccessFlags } from '../options/access.ts';
import { addAdmissionOptions, type AdmissionFlags } from '../options/admission.ts';
import { addBindOptions, type BindFlags } from '../options/bind.ts';
import type { ReportOptions } from '../context.ts';
import { addUdpOption, refuseOverUdp, type DatagramFlags } from '../options/datagram.ts';
import { echoFlagRules } from './flag-rules.ts';
import { checkFlags } from '../options/flag-rules.ts';
import { addLiveOption } from '../options/live.ts';
import { addOptions, addReportOptions } from '../options/shared.ts';
import type { ServerAddressOptions } from '../options/server-address.ts';
import { addClientTrustOptions, type ClientSecureFlags } from '../options/secure.ts';
import { asArgument, parseCount, parseSizeBytes, parseTimeMs } from '../options/values.ts';

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

/**
 * Makes sure that the flags go together, and with the endpoints: where a server listens, or what --ping calls.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function checkEchoFlags(options: EchoOptions, endpoints: readonly Endpoint[], command: Command): void {
  const datagrams = endpoints.find(({ kind }) => kind === 'udp');
  checkFlags(command, echoFlagRules, {
    'a UDP server': datagrams !== undefined && !options.ping,
    'service qotd': options.service === 'qotd',
    unix: endpoints.length > 0 && endpoints.every(({ kind }) => kind === 'unix'),
  });
  if (datagrams) refuseOverUdp(datagrams, options);
}
