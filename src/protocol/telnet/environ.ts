import { IS, SEND } from './subnegotiation.ts';

/** RFC 1572: what begins a name of its list, a value, an escaped byte, and a name that the user chose. */
const VAR = 0;
const VALUE = 1;
const ESC = 2;
const USERVAR = 3;
/** RFC 1572: what has changed since it was sent. */
const INFO = 2;

/** The variables that RFC 1572 names itself. */
const wellKnown = new Set(['USER', 'JOB', 'ACCT', 'PRINTER', 'SYSTEMTYPE', 'DISPLAY']);

/** The payload that answers a request for variables (RFC 1572): those it names, or all that there are. */
export function answerEnvironment(
  request: Buffer,
  variables: ReadonlyMap<string, string>,
): Buffer | undefined {
  if (request[0] !== SEND) return undefined;
  const asked = readNames(request.subarray(1));
  const names = asked.length > 0 ? asked : [...variables.keys()];
  return Buffer.concat([
    Buffer.from([IS]),
    ...names.map((name) => encodeVariable(name, variables.get(name))),
  ]);
}

/** The payload that tells of a variable that has changed; undefined: it is gone. */
export function informEnvironment(name: string, value: string | undefined): Buffer {
  return Buffer.concat([Buffer.from([INFO]), encodeVariable(name, value)]);
}

function encodeVariable(name: string, value: string | undefined): Buffer {
  const kind = wellKnown.has(name) ? VAR : USERVAR;
  const told = value === undefined ? [] : [Buffer.from([VALUE]), escapeBytes(value)];
  return Buffer.concat([Buffer.from([kind]), escapeBytes(name), ...told]);
}

function escapeBytes(text: string): Buffer {
  return Buffer.from([...Buffer.from(text)].flatMap((byte) => (byte <= USERVAR ? [ESC, byte] : [byte])));
}

/** A kind without a name asks for all of the kind, which is all there are. */
function readNames(bytes: Buffer): string[] {
  const names: number[][] = [];
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === VAR || byte === USERVAR) names.push([]);
    else names.at(-1)?.push(byte === ESC ? (bytes[++at] ?? 0) : byte);
  }
  const isAll = names.some((name) => name.length === 0);
  return isAll ? [] : names.map((name) => Buffer.from(name).toString());
}
