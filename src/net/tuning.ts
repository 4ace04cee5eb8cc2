import type { Socket } from './socket.ts';

/** Placeholder until merged. */
export async function waitAcknowledged(_socket: Socket, _options: { signal?: AbortSignal }): Promise<void> {}
