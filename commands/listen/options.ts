import type { FlagsOf, Layout } from '../options/row.ts';
import { address } from '../options/table/address.ts';
import { bind } from '../options/table/bind.ts';
import { access, clients, firstClient, rooms } from '../options/table/clients.ts';
import { limits } from '../options/table/limits.ts';
import { clientHeader } from '../options/table/proxies.ts';
import { recording } from '../options/table/recording.ts';
import { reports } from '../options/table/reports.ts';
import { monitoring } from '../options/table/serving.ts';
import { dialogue, endOfData, lines, programs } from '../options/table/session.ts';
import { socket } from '../options/table/socket.ts';
import { tls } from '../options/table/tls.ts';

/** The options of `tnet listen`, in the order of its help. */
export const listenLayout = [
  ['Address:', address, bind],
  ['Clients:', clients, access, rooms],
  ['Time limits:', firstClient, limits],
  ['The end of data:', endOfData],
  ['Lines and programs:', lines, dialogue, programs],
  ['TLS and PROXY headers:', clientHeader, tls],
  ['Recording:', recording],
  ['Socket options:', socket],
  ['Reports:', reports, monitoring],
] as const satisfies Layout;

export type ListenOptions = FlagsOf<typeof listenLayout, 'listen'>;
