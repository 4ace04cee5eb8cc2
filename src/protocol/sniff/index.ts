export {
  SNIFF_LIMIT_BYTES,
  sniffedProtocols,
  sniffProtocol,
  type Sniffed,
  type SniffedProtocol,
} from './sniff.ts';
