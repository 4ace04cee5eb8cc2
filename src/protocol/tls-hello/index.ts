export {
  HELLO_LIMIT_BYTES,
  HELLO_RECORD_LIMIT,
  peekClientHello,
  type ClientHello,
  type PeekedHello,
} from './client-hello.ts';
