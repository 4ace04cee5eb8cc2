import {
  choice,
  count,
  fraction,
  positiveSize,
  size,
  sizeSpread,
  time,
  timeSpread,
  toggle,
  type SettingTable,
  type ValuesOf,
} from './setting.ts';

/** What a proxy does to connections on purpose. docs/faults.md sets each beside its counterpart in toxiproxy. */
export const faultSettings = {
  latency: timeSpread('--latency <time>', 'delay bytes and ends by this long; 100ms±20ms varies it'),
  bandwidth: positiveSize(
    '--bandwidth <size>',
    'carry at most so many bytes a second, a connection and direction',
  ),
  slice: toggle('--slice', 'cut the stream into small pieces, each sent on its own'),
  sliceSize: sizeSpread('--slice-size <size>', 'the size of a piece (64±63); implies --slice'),
  sliceDelay: time('--slice-delay <time>', 'pause between two pieces; implies --slice'),
  corrupt: fraction('--corrupt <share>', 'replace this share of the bytes by other ones'),
  loss: fraction('--loss <share>', 'lose this share of the datagrams, between two UDP ends'),
  dropAfter: size('--drop-after <size>', 'close the connection after so many bytes in a direction'),
  resetAfter: time('--reset-after <time>', 'reset the connection this long after it was made'),
  blackhole: toggle('--blackhole', 'take all bytes and hand none on'),
  slowClose: time('--slow-close <time>', 'hand an end on this long after it came'),
  direction: choice('--direction <way>', 'do it to one direction only: up (to the target), down or both', [
    'up',
    'down',
    'both',
  ]),
  probability: fraction('--probability <share>', 'do it to this share of the connections only'),
  seed: count('--seed <n>', 'draw the same chances as every run with this number', 0),
} as const satisfies SettingTable;

export type FaultValues = ValuesOf<typeof faultSettings>;

/** Whether anything is done to connections at all. */
export function hasFaults(values: FaultValues): boolean {
  return Object.keys(faultSettings).some((key) => values[key as keyof FaultValues] !== undefined);
}
