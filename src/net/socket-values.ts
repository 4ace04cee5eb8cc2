import type { SocketTuning } from './socket-tuning.ts';

/** Options of a socket by the names under which users give them: --nodelay, --tos and so on. */
export interface SocketValues {
  readonly nodelay?: boolean;
  readonly keepalive?: SocketTuning['keepAlive'];
  readonly tos?: number;
  readonly rcvbuf?: number;
  readonly sndbuf?: number;
  readonly ttl?: number;
  readonly linger?: number;
}

/** The tuning that they ask for, or undefined when they ask for nothing. */
export function toTuning(values: SocketValues): SocketTuning | undefined {
  const { nodelay, keepalive, tos, rcvbuf, sndbuf, ttl, linger } = values;
  const tuning: SocketTuning = {
    noDelay: nodelay,
    keepAlive: keepalive,
    typeOfService: tos,
    receiveBufferBytes: rcvbuf,
    sendBufferBytes: sndbuf,
    hopLimit: ttl,
    lingerSeconds: linger,
  };
  return Object.values(tuning).some((value) => value !== undefined) ? tuning : undefined;
}
