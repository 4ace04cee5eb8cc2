/** Seconds from 1900, where the Time Protocol counts from, to 1970, where a Date does. Source: RFC 868. */
const secondsTo1970 = 2_208_988_800;

/**
 * The time as the Time Protocol sends it: seconds since the beginning of 1900 in UTC, 32 bits, the most significant
 * byte first. It begins anew on 2036-02-07. Source: RFC 868.
 */
export function encodeTime(at: Date): Buffer {
  const seconds = Math.floor(at.getTime() / 1000) + secondsTo1970;
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(seconds >>> 0);
  return bytes;
}

const weekdays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const;
const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;

/**
 * The time as one line, in UTC and in the first form that RFC 867 suggests:
 * `Monday, February 22, 1982 17:37:43-UTC` and CR LF.
 */
export function formatDaytime(at: Date): string {
  const weekday = weekdays[at.getUTCDay()] ?? '';
  const month = months[at.getUTCMonth()] ?? '';
  const clock = at.toISOString().slice(11, 19);
  return `${weekday}, ${month} ${at.getUTCDate()}, ${at.getUTCFullYear()} ${clock}-UTC\r\n`;
}
