import type { FlagsOf, Layout } from '../options/row.ts';
import { address } from '../options/table/address.ts';
import { sendingFiles } from '../options/table/files.ts';
import { groups } from '../options/table/groups.ts';
import { checks, limits, tries } from '../options/table/limits.ts';
import { conditions, pace, showing } from '../options/table/probing.ts';
import { proxies } from '../options/table/proxies.ts';
import { recording } from '../options/table/recording.ts';
import { progress, reports, timing } from '../options/table/reports.ts';
import { dialogue, endOfData, lines, programs } from '../options/table/session.ts';
import { socket } from '../options/table/socket.ts';
import { tls, tlsProtocol } from '../options/table/tls.ts';
import { websocket } from '../options/table/websocket.ts';

/** The flags that make a connect try again. */
export type WaitOptions = Pick<ConnectOptions, 'retry' | 'retryDelay' | 'wait' | 'stable' | 'waitConnect'>;

/** Whether a flag asks for more than one plain attempt. */
export function isPatient({ retry, wait, stable }: WaitOptions): boolean {
  return retry !== undefined || wait !== undefined || stable !== undefined;
}

/** Whether something else than a connection is looked for. */
export function hasCondition({
  waitHttp,
  waitClosed,
  waitName,
}: Pick<ConnectOptions, 'waitHttp' | 'waitClosed' | 'waitName'>): boolean {
  return waitHttp !== undefined || waitClosed === true || waitName === true;
}

/** The options of `tnet connect`, in the order of its help. */
export const connectLayout = [
  ['Address:', address],
  ['Time limits and tries:', limits, tries],
  ['Port check:', checks, showing, pace, conditions],
  ['The end of data:', endOfData],
  ['Lines, telnet and the terminal:', lines],
  ['Dialogue and programs:', dialogue, programs],
  ['Files:', sendingFiles],
  ['TLS:', tls, tlsProtocol],
  ['WebSocket:', websocket],
  ['Proxies:', proxies],
  ['Recording:', recording],
  ['Multicast and broadcast:', groups],
  ['Socket options:', socket],
  ['Reports:', timing, progress, reports],
] as const satisfies Layout;

export type ConnectOptions = FlagsOf<typeof connectLayout, 'connect'>;
