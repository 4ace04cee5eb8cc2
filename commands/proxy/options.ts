import { Option, type Command } from 'commander';
import { hideUserInfo } from '../../src/address/endpoint.ts';
import { TnetError } from '../../src/errors.ts';
import { pairSettingGroups, pairSettings, readPair, type Pair } from '../../src/handlers/relay/pair.ts';
import type { Setting } from '../../src/handlers/relay/settings/setting.ts';
import { parseCount, parseTimeMs } from '../options/values.ts';
import type { ReportOptions } from '../context.ts';
import { addLiveOption } from '../options/live.ts';
import { addRecordingOptions, type RecordingFlags } from '../options/recording.ts';
import { addTapOption } from '../options/tap.ts';
import type { TapStyle } from '../../src/record/tap-format.ts';

/** The flags of `tnet proxy` beside those of pairSettings, which have their written value under their own name. */
export interface ProxyOptions extends ReportOptions, Pick<RecordingFlags, 'output' | 'format' | 'append'> {
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly numeric?: boolean;
  readonly pair?: readonly string[];
  readonly config?: string;
  readonly drain: number;
  readonly workers?: number;
  readonly metrics?: string;
  readonly live?: boolean;
  readonly tap?: TapStyle;
}

const settings: Readonly<Record<string, Setting<unknown>>> = pairSettings;

/** Adds the flags that say how a pair is served: one for every setting. They are read by readPairs(). */
export function addPairOptions(command: Command): Command {
  for (const [heading, group] of pairSettingGroups) {
    command.optionsGroup(heading);
    for (const { flags, help, isList } of Object.values(group)) {
      const option = new Option(flags, help);
      command.addOption(isList ? option.argParser(collect) : option);
    }
  }
  return command;
}

/** Every value of a flag that may be repeated. */
function collect(word: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), word];
}

/** Adds the flags that say what is served. */
export function addProxyOptions(command: Command): void {
  command
    .addOption(
      new Option(
        '-L, --pair <listen=target>',
        'a pair to serve, LISTEN=TARGET[,TARGET…]; may be repeated',
      ).argParser(collect),
    )
    .addOption(
      new Option('--config <file>', 'serve the pairs of a JSON file; SIGHUP takes it anew').conflicts('pair'),
    )
    .addOption(
      new Option('--workers <n>', 'serve clients in so many processes')
        .argParser(parseCount(1))
        .conflicts(['live', 'tap', 'output']),
    )
    .addOption(new Option('--metrics <address>', 'serve /metrics for Prometheus and /healthz there'))
    .addOption(
      new Option('--drain <time>', 'at SIGTERM, let connections go on for at most this long')
        .argParser(parseTimeMs)
        .default(10_000, '10s'),
    );
  command.optionsGroup('What is seen:');
  addTapOption(command);
  addRecordingOptions(command);
  addLiveOption(command);
}

/** The settings that the command line gives, as written. */
export function writtenValues(options: ProxyOptions): Readonly<Record<string, unknown>> {
  const given = Object.entries(options).filter(([key, value]) => key in settings && value !== undefined);
  return Object.fromEntries(given);
}

/**
 * The pairs that the command line names: `LISTEN TARGET…`, or each `-L LISTEN=TARGET[,TARGET…]`.
 *
 * @throws TnetError TNET_E_USAGE or TNET_E_ADDRESS
 */
export function readPairs(
  words: readonly string[],
  options: ProxyOptions,
  family: 4 | 6 | undefined,
): Pair[] {
  const values = writtenValues(options);
  const [listen, ...targets] = words;
  const pairs = options.pair?.map(splitPair) ?? [];
  if (listen !== undefined && pairs.length > 0) {
    throw new TnetError('TNET_E_USAGE', 'name the pairs as LISTEN TARGET or with -L, not both');
  }
  if (listen !== undefined) pairs.push({ listen, targets });
  if (pairs.length === 0)
    throw new TnetError('TNET_E_USAGE', 'name where to listen and a target: LISTEN TARGET');
  return pairs.map((pair) => readPair({ ...pair, values }, { name: nameFlag, family }));
}

function splitPair(word: string): { listen: string; targets: string[] } {
  const at = word.indexOf('=');
  if (at < 1)
    throw new TnetError('TNET_E_USAGE', 'expected LISTEN=TARGET', { subject: `-L ${hideUserInfo(word)}` });
  const targets = word.slice(at + 1);
  return { listen: word.slice(0, at), targets: targets === '' ? [] : targets.split(',') };
}

/** `--max-connections` for maxConnections; what a pair is between is named by its word. */
function nameFlag(part: string): string {
  if (part === 'listen' || part === 'targets') return part === 'listen' ? 'LISTEN' : 'TARGET';
  return /--[a-z-]+/.exec(settings[part]?.flags ?? '')?.[0] ?? part;
}
