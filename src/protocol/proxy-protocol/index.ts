export { decodeProxyHeader, type DecodedProxyHeader } from './decode.ts';
export { createPadding, encodeProxyV1, encodeProxyV2 } from './encode.ts';
export { ProxyHeaderReceiver, type ReceivedProxyHeader } from './receiver.ts';
export {
  UNIQUE_ID_LIMIT_BYTES,
  UNIX_ADDRESS_BYTES,
  V1_LIMIT_BYTES,
  V2_LIMIT_BYTES,
  type ProxyEnds,
  type ProxyHeader,
  type ProxySsl,
  type ProxyValue,
} from './header.ts';
