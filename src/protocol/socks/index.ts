export { SocksClient, type SocksClientStep } from './client.ts';
export type { SocksClientOptions, SocksCommand, SocksVersion } from './requests.ts';
export {
  AHEAD_LIMIT_BYTES,
  SocksServer,
  USER_ID_LIMIT_BYTES,
  type SocksRequest,
  type SocksServerOptions,
  type SocksServerStep,
} from './server.ts';
export { encodeSocksReply, replyForErrorCode, type SocksReply } from './replies.ts';
export { decodeSocksDatagram, encodeSocksDatagram, type SocksDatagram } from './datagram.ts';
export type { SocksAddress } from './address.ts';
