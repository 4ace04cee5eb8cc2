import { TnetError } from '../../../errors.ts';
import { list, type SettingTable, type ValuesOf } from './setting.ts';

/** Who a proxy serves; src/access says what an entry may be. */
export const accessSettings = {
  allow: list('--allow <list>', 'serve only these: CIDR, HOST or ./FILE, with commas', readWord),
  deny: list('--deny <list>', 'turn these away: CIDR, HOST or ./FILE, with commas', readWord),
} as const satisfies SettingTable;

export type AccessValues = ValuesOf<typeof accessSettings>;

/** The entries themselves are read when the pair is made ready: host names and files want I/O. */
function readWord(word: string): string {
  if (word !== '') return word;
  throw new TnetError('TNET_E_USAGE', 'the entry is empty');
}
