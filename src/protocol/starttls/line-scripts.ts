import { badInput } from '../protocol-error.ts';
import {
  MESSAGE_LIMIT_BYTES,
  messageTooLong,
  notOffered,
  serverRefusal,
  unexpected,
  type ScriptStep,
  type StarttlsProtocol,
  type StarttlsScript,
} from './dialogue.ts';

const EMPTY = Buffer.alloc(0);
const LF = 10;

/** What a line leads to, its length apart; undefined = read on. */
type LineStep = Omit<ScriptStep, 'usedBytes'> | undefined;

/** A script whose messages are lines ending in CR LF, or in LF alone. */
function createLineScript(protocol: StarttlsProtocol, readLine: (line: string) => LineStep): StarttlsScript {
  return {
    protocol,
    first: EMPTY,
    read(bytes) {
      const end = bytes.subarray(0, MESSAGE_LIMIT_BYTES).indexOf(LF);
      if (end >= 0)
        return { usedBytes: end + 1, ...readLine(bytes.toString('utf8', 0, end).replace(/\r$/, '')) };
      if (bytes.length < MESSAGE_LIMIT_BYTES) return undefined;
      throw messageTooLong(protocol);
    },
  };
}

/** A whole numbered reply. */
interface NumberedReply {
  readonly code: number;
  /** The last line without its code. */
  readonly text: string;
  /** The first word of every line, in capitals: what an EHLO reply lists. */
  readonly keywords: readonly string[];
}

const KEYWORD_LIMIT = 20;

/**
 * Collects the replies of SMTP (RFC 5321 section 4.2.1) and FTP (RFC 959 section 4.2): `250-` goes on, `250 ` ends.
 * In FTP the lines between may have any form.
 */
function createReplyCollector(protocol: 'smtp' | 'ftp'): (line: string) => NumberedReply | undefined {
  let code: number | undefined;
  let keywords: string[] = [];
  return (line) => {
    const [, digits, mark, text = ''] = /^([1-5]\d\d)(?:([ -])([^]*))?$/.exec(line) ?? [];
    const isOwn = digits !== undefined && (code === undefined || Number(digits) === code);
    if (!isOwn) {
      if (protocol === 'smtp' || code === undefined) throw unexpected(protocol, line);
      return undefined;
    }
    code = Number(digits);
    keywords.push(text.slice(0, KEYWORD_LIMIT).split(' ', 1).join('').toUpperCase());
    if (mark === '-') return undefined;
    const reply = { code, text, keywords };
    code = undefined;
    keywords = [];
    return reply;
  };
}

/**
 * RFC 3207: greeting, EHLO, STARTTLS.
 * @param name what the client calls itself; default `localhost`.
 * @throws ProtocolError TNET_E_PROTOCOL_INPUT for a name that is not a word.
 */
export function createSmtpScript(name = 'localhost'): StarttlsScript {
  if (!/^[\x21-\x7e]{1,255}$/.test(name)) {
    throw badInput('smtp', 'bad-name', `not a name for a client: ${JSON.stringify(name)}`);
  }
  const collect = createReplyCollector('smtp');
  let phase: 'greeting' | 'ehlo' | 'starttls' = 'greeting';
  return createLineScript('smtp', (line) => {
    const reply = collect(line);
    if (!reply) return undefined;
    const isGood = reply.code === (phase === 'ehlo' ? 250 : 220);
    if (!isGood) throw serverRefusal('smtp', `${reply.code} ${reply.text}`, reply.code);
    if (phase === 'starttls') return { isReady: true };
    if (phase === 'greeting') {
      phase = 'ehlo';
      return { send: Buffer.from(`EHLO ${name}\r\n`) };
    }
    if (!reply.keywords.includes('STARTTLS')) throw notOffered('smtp');
    phase = 'starttls';
    return { send: Buffer.from('STARTTLS\r\n') };
  });
}

/** RFC 4217 section 4: greeting, AUTH TLS, 234. What follows inside TLS (PBSZ, PROT) is the caller's. */
export function createFtpScript(): StarttlsScript {
  const collect = createReplyCollector('ftp');
  let phase: 'greeting' | 'auth' = 'greeting';
  return createLineScript('ftp', (line) => {
    const reply = collect(line);
    if (!reply) return undefined;
    if (phase === 'greeting' && reply.code === 120) return undefined;
    if (reply.code !== (phase === 'greeting' ? 220 : 234))
      throw serverRefusal('ftp', `${reply.code} ${reply.text}`, reply.code);
    if (phase === 'auth') return { isReady: true };
    phase = 'auth';
    return { send: Buffer.from('AUTH TLS\r\n') };
  });
}

/** RFC 2595 section 4: greeting, STLS, +OK. */
export function createPop3Script(): StarttlsScript {
  let phase: 'greeting' | 'stls' = 'greeting';
  return createLineScript('pop3', (line) => {
    if (/^-ERR\b/i.test(line)) throw serverRefusal('pop3', line);
    if (!/^\+OK\b/i.test(line)) throw unexpected('pop3', line);
    if (phase === 'stls') return { isReady: true };
    phase = 'stls';
    return { send: Buffer.from('STLS\r\n') };
  });
}

/**
 * RFC 9051 section 6.2.1: greeting, STARTTLS, tagged OK. A server that greets with PREAUTH cannot start TLS any more,
 * which is how it is stripped off; that is a refusal.
 */
export function createImapScript(): StarttlsScript {
  let phase: 'greeting' | 'starttls' = 'greeting';
  return createLineScript('imap', (line) => {
    if (/^\* (?:BYE|PREAUTH)\b/i.test(line)) throw serverRefusal('imap', line);
    if (phase === 'greeting') {
      if (!/^\* OK\b/i.test(line)) throw unexpected('imap', line);
      phase = 'starttls';
      return { send: Buffer.from('t1 STARTTLS\r\n') };
    }
    if (line.startsWith('* ')) return undefined;
    if (/^t1 OK\b/i.test(line)) return { isReady: true };
    throw /^t1 (?:NO|BAD)\b/i.test(line) ? serverRefusal('imap', line) : unexpected('imap', line);
  });
}
