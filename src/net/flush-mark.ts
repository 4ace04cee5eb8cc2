/**
 * An empty chunk that only asks when everything before it has been taken. A datagram socket sends nothing for it,
 * while any other empty chunk is a datagram without bytes.
 */
export const flushMark = Buffer.alloc(0);
