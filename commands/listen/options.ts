import type { FlagsOf, Layout, TableFlags } from '../options/row.ts';
import { address } from '../options/table/address.ts';
import { bind } from '../options/table/bind.ts';
import { access, admission, clients, firstClient, rooms } from '../options/table/clients.ts';
import { receivingFiles } from '../options/table/files.ts';
import { groups } from '../options/table/groups.ts';
import { limits } from '../options/table/limits.ts';
import { clientHeader } from '../options/table/proxies.ts';
import { recording } from '../options/table/recording.ts';
import { progress, reports } from '../options/table/reports.ts';
import { draining, monitoring, processes } from '../options/table/serving.ts';
import { dialogue, endOfData, exposure, lines, programs } from '../options/table/session.ts';
import { socket } from '../options/table/socket.ts';
import { tls, tlsProtocol } from '../options/table/tls.ts';
import { websocket } from '../options/table/websocket.ts';
import { accessSync, constants, mkdirSync } from 'node:fs';
import { errorCode, TnetError } from '../../src/errors.ts';

/** The options of `tnet listen`, in the order of its help. */
export const listenLayout = [
  ['Address:', address, bind],
  ['Clients:', clients, admission, access, rooms],
  ['Time limits:', firstClient, limits, draining],
  ['The end of data:', endOfData],
  ['Lines and programs:', lines, dialogue, programs, exposure],
  ['Files:', receivingFiles],
  ['TLS and PROXY headers:', clientHeader, tls, tlsProtocol],
  ['WebSocket:', websocket],
  ['Recording:', recording],
  ['Multicast and broadcast:', groups],
  ['Socket options:', socket],
  ['Reports:', progress, reports, monitoring, processes],
] as const satisfies Layout;

export type ListenOptions = FlagsOf<typeof listenLayout, 'listen'>;

/** The flags of listen for many clients at once. */
export type ManyFlags = TableFlags<typeof rooms, 'listen'>;

/**
 * Makes sure that files can be created in --output-dir, which is created if need be.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function prepareOutputDir({ outputDir }: ManyFlags): void {
  if (outputDir === undefined) return;
  try {
    mkdirSync(outputDir, { recursive: true });
    accessSync(outputDir, constants.W_OK | constants.X_OK);
  } catch (error) {
    const message = `no files can be created there (${errorCode(error) ?? 'ERROR'})`;
    throw new TnetError('TNET_E_USAGE', message, { subject: outputDir, cause: error });
  }
}
