/** The printing characters of ASCII, the space first, which chargen's lines rotate through. */
const ring = Array.from({ length: 95 }, (_, index) => String.fromCharCode(0x20 + index)).join('');

/** Source: RFC 864, "Data Syntax": lines of 72 characters, each begun one character later, ended by CR LF. */
const lineCharacters = 72;

/** The text after which chargen's lines begin anew: 95 lines of 74 bytes. */
export const chargenCycle: Buffer = Buffer.from(
  Array.from({ length: ring.length }, (_, line) => `${lineAt(line)}\r\n`).join(''),
  'latin1',
);

function lineAt(line: number): string {
  return (ring.slice(line) + ring).slice(0, lineCharacters);
}

/** The most bytes of an answer over UDP. Source: RFC 864, "UDP Based Character Generator Service". */
export const maxChargenDatagram = 512;

/**
 * A number of bytes from 0 to maxChargenDatagram, each as likely as the other, from the beginning of the cycle.
 *
 * @param random from 0 to below 1
 */
export function drawChargenDatagram(random: number): Buffer {
  return chargenCycle.subarray(0, Math.floor(random * (maxChargenDatagram + 1)));
}
