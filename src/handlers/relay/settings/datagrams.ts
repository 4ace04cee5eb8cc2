import { choice, type SettingTable, type ValuesOf } from './setting.ts';

/** What a proxy with a UDP end needs to be told. */
export const datagramSettings = {
  framing: choice(
    '--framing <how>',
    'between UDP and a stream: chunk (default; what is read at once is a datagram) or length (two bytes before each)',
    ['chunk', 'length'],
  ),
} as const satisfies SettingTable;

export type DatagramValues = ValuesOf<typeof datagramSettings>;

/** How long a session without a datagram lasts, as UDP has no end. */
export const defaultSessionIdleMs = 60_000;
