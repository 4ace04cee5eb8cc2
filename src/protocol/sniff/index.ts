export { SNIFF_LIMIT_BYTES, sniffProtocol, type Sniffed, type SniffedProtocol } from './sniff.ts';
