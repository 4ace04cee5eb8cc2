export {
  HttpConnectClient,
  INTERIM_LIMIT,
  SKIPPED_BODY_LIMIT_BYTES,
  type HttpConnectClientOptions,
  type HttpConnectClientStep,
} from './client.ts';
export { HttpConnectServer, type ConnectRequest } from './server.ts';
export { encodeConnectReply, statusForErrorCode, type ConnectStatus } from './replies.ts';
export { decodeBasic, encodeBasic, type ProxyCredentials } from './credentials.ts';
export { parseHtpasswd, verifyHtpasswd, type CompareBcrypt, type HtpasswdUsers } from './htpasswd.ts';
export { HEAD_LIMIT_BYTES, HEADER_COUNT_LIMIT, START_LINE_LIMIT_BYTES, type HttpHeader } from './head.ts';
