import { TnetError, hideUserInfo } from '../errors.ts';
import { shell, splitCommandWords } from './command-words.ts';
import type { OtherEndpoint, SerialSettings } from './endpoint.ts';
import { ownValue } from '../own-value.ts';

/** Reads the part after `NAME:`; `text` is the whole, for messages. */
type ReadKind = (rest: string, text: string) => OtherEndpoint;

/** What can be read as a host and a port too stays that: `sh:80` is port 80 of a host `sh`. */
const portLike = /^\d+$/;

/** The other kinds of end, by what stands before the colon. */
const readers: Readonly<Record<string, ReadKind>> = {
  exec: (rest) => ({ kind: 'exec', words: splitCommandWords(rest) }),
  sh: (rest, text) => ({ kind: 'exec', words: [...shell, requireText(rest, text, 'the command is empty')] }),
  pty: (rest) => ({ kind: 'pty', words: splitCommandWords(rest) }),
  file: (rest, text) => ({ kind: 'file', path: requireText(rest, text, 'the path is empty') }),
  serial: readSerial,
  vsock: readVsock,
};

/**
 * Reads an address of one of these kinds. Undefined for the text of any other address.
 *
 * @throws TnetError TNET_E_ADDRESS
 */
export function parseOther(text: string): OtherEndpoint | undefined {
  const [, name = '', rest = ''] = /^([a-z]+):(.*)$/s.exec(text) ?? [];
  const read = portLike.test(rest) ? undefined : ownValue(readers, name);
  if (!read) return undefined;
  try {
    return read(rest, text);
  } catch (error) {
    throw new TnetError('TNET_E_ADDRESS', (error as Error).message, {
      subject: hideUserInfo(text),
      cause: error,
    });
  }
}

function requireText(rest: string, text: string, message: string): string {
  if (rest === '') throw addressError(text, message);
  if (rest.includes('\0')) throw addressError(text, 'an address cannot hold a NUL byte');
  return rest;
}

/** `PATH`, or `PATH@BAUD` and more settings with commas: `/dev/ttyS0@115200,8N1,rtscts`. */
function readSerial(rest: string, text: string): OtherEndpoint {
  const [, path = '', words = ''] = /^(.*?)(?:@([^@/]*))?$/s.exec(rest) ?? [];
  requireText(path, text, 'the path of the device is missing');
  let settings: SerialSettings = {};
  for (const word of words === '' ? [] : words.split(','))
    settings = { ...settings, ...readSetting(word, text) };
  return { kind: 'serial', path, ...settings };
}

function readSetting(word: string, text: string): SerialSettings {
  if (/^\d{1,8}$/.test(word) && Number(word) > 0) return { baud: Number(word) };
  if (/^[5-8][neo][12]$/i.test(word)) return { framing: word.toUpperCase() };
  if (word === 'none' || word === 'rtscts' || word === 'xonxoff') return { flow: word };
  throw addressError(
    text,
    `unknown setting ${word}: expected a speed, 8N1 and the like, rtscts, xonxoff or none`,
  );
}

/** The names of CIDs. Source: vsock(7). */
const contextIds: Readonly<Record<string, number | undefined>> = { any: undefined, local: 1, host: 2 };

/** The largest 32-bit number means "any" in the system's calls. */
const mostVsock = 0xffff_fffe;

function readVsock(rest: string, text: string): OtherEndpoint {
  const [, name = '', digits = ''] = /^([a-z]+|\d+):(\d+)$/.exec(rest) ?? [];
  if (digits === '')
    throw addressError(text, 'expected vsock:CID:PORT, with a number, host, local or any as CID');
  const isNamed = Object.hasOwn(contextIds, name);
  const cid = isNamed ? contextIds[name] : Number(name);
  const port = Number(digits);
  if (cid !== undefined && !(cid <= mostVsock)) throw addressError(text, `no CID: ${name}`);
  if (port > mostVsock) throw addressError(text, `a port of vsock is a number up to ${mostVsock}`);
  return { kind: 'vsock', ...(cid !== undefined && { cid }), port };
}

function addressError(subject: string, message: string): TnetError {
  return new TnetError('TNET_E_ADDRESS', message, { subject: hideUserInfo(subject) });
}
