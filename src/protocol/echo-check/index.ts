export { DatagramCheck } from './datagram-check.ts';
export { StreamCheck } from './stream-check.ts';
export { noiseBytes, PayloadMaker, payloadHeaderBytes } from './payload.ts';
export type { EchoCheck, EchoCounts, Reply } from './echo-check.ts';
