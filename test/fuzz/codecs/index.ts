import type { CodecTarget } from '../../helpers/protocol/codec-target.ts';
import { fileTransferTargets } from './file-transfer.ts';
import { httpConnectTargets } from './http-connect.ts';
import { httpForwardTargets } from './http-forward.ts';
import { peekTargets } from './peeks.ts';
import { proxyProtocolTargets } from './proxy-protocol.ts';
import { socksTargets } from './socks.ts';
import { starttlsTargets } from './starttls.ts';
import { telnetTargets } from './telnet.ts';
import { webSocketTargets } from './websocket.ts';

/** Every codec of src/protocol, for the property tests and the fuzzer. */
export const codecTargets: readonly CodecTarget[] = [
  ...telnetTargets,
  ...socksTargets,
  ...httpConnectTargets,
  ...httpForwardTargets,
  ...proxyProtocolTargets,
  ...peekTargets,
  ...starttlsTargets,
  ...webSocketTargets,
  ...fileTransferTargets,
];
