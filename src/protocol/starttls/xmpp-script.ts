import { badInput } from '../protocol-error.ts';
import {
  MESSAGE_LIMIT_BYTES,
  messageTooLong,
  notOffered,
  serverRefusal,
  unexpected,
  type ScriptStep,
  type StarttlsScript,
} from './dialogue.ts';

const TLS_NAMESPACE = 'urn:ietf:params:xml:ns:xmpp-tls';
const OPEN = 0x3c;
const CLOSE = 0x3e;
const QUOTES = [0x22, 0x27];

/** A tag of the stream: `<?…?>` is one as well, with kind `declaration`. */
interface Tag {
  /** The name without its prefix. */
  readonly name: string;
  readonly kind: 'open' | 'close' | 'empty' | 'declaration';
  readonly text: string;
  readonly usedBytes: number;
}

/** Where the tag that starts at `from` ends: the first `>` outside of quotes; -1 while it has not come. */
function findTagEnd(bytes: Buffer, from: number): number {
  let quote: number | undefined;
  for (let index = from; index < bytes.length; index += 1) {
    const byte = bytes[index] as number;
    if (quote !== undefined) {
      if (byte === quote) quote = undefined;
    } else if (QUOTES.includes(byte)) quote = byte;
    else if (byte === CLOSE) return index;
  }
  return -1;
}

/** Reads the next tag and passes over the text before it; undefined while it is not whole. */
function readTag(bytes: Buffer): Tag | undefined {
  const window = bytes.subarray(0, MESSAGE_LIMIT_BYTES);
  const start = window.indexOf(OPEN);
  const end = start < 0 ? -1 : findTagEnd(window, start);
  if (end < 0) {
    if (bytes.length < MESSAGE_LIMIT_BYTES) return undefined;
    throw messageTooLong('xmpp');
  }
  const text = window.toString('utf8', start + 1, end);
  // RFC 6120 section 11.1 forbids comments, processing instructions and document types in the stream.
  const [, slash, name, empty] = /^(\/?)(?:[\w.-]+:)?([\w.-]+)(?:\s[^]*?)?(\/?)$/.exec(text) ?? [];
  const usedBytes = end + 1;
  if (/^\?xml\s[^]*\?$/.test(text)) return { name: 'xml', kind: 'declaration', text, usedBytes };
  if (name === undefined) throw unexpected('xmpp', `<${text}>`);
  const kind = slash === '/' ? 'close' : empty === '/' ? 'empty' : 'open';
  return { name, kind, text, usedBytes };
}

function escapeAttribute(text: string): string {
  const escapes: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    "'": '&apos;',
    '"': '&quot;',
  };
  return text.replaceAll(/[&<>'"]/g, (found) => escapes[found] ?? found);
}

/**
 * RFC 6120 section 5: stream header, features with starttls, `<starttls/>`, `<proceed/>`.
 * @param host the domain of the service, as its address names it.
 * @throws ProtocolError TNET_E_PROTOCOL_INPUT for a host with controls or blanks.
 */
export function createXmppScript(host: string): StarttlsScript {
  if (host === '' || /[\p{Cc}\p{Z}]/u.test(host)) {
    throw badInput('xmpp', 'bad-host', `there is no XMPP domain ${JSON.stringify(host)}`);
  }
  const dialogue = new XmppTags();
  return {
    protocol: 'xmpp',
    first: Buffer.from(
      `<?xml version='1.0'?><stream:stream to='${escapeAttribute(host)}' xmlns='jabber:client' ` +
        "xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>",
    ),
    read(bytes) {
      const tag = readTag(bytes);
      return tag && { usedBytes: tag.usedBytes, ...dialogue.read(tag) };
    },
  };
}

/** What the tags of the server mean, one after the other. */
class XmppTags {
  #phase: 'header' | 'features' | 'answer' | 'proceed' | 'error' = 'header';
  /** How deep inside `<features>` the last tag was; 0 outside. */
  #depth = 0;
  #isOffered = false;

  read(tag: Tag): Omit<ScriptStep, 'usedBytes'> {
    if (this.#phase === 'header' && tag.kind === 'declaration') return {};
    if (tag.kind === 'declaration') throw unexpected('xmpp', `<${tag.text}>`);
    if (this.#phase === 'error') throw serverRefusal('xmpp', tag.name);
    if (this.#depth === 0 && tag.kind === 'close' && tag.name === 'stream') {
      throw serverRefusal('xmpp', 'the stream is closed');
    }
    if (this.#depth === 0 && tag.kind === 'open' && tag.name === 'error') {
      // The condition is the first tag inside: RFC 6120 section 4.9.2.
      this.#phase = 'error';
      return {};
    }
    switch (this.#phase) {
      case 'header':
        if (tag.kind !== 'open' || tag.name !== 'stream') throw unexpected('xmpp', `<${tag.text}>`);
        this.#phase = 'features';
        return {};
      case 'features':
        return this.#readFeatures(tag);
      case 'answer':
        return this.#readAnswer(tag);
      case 'proceed':
        if (tag.kind !== 'close' || tag.name !== 'proceed') throw unexpected('xmpp', `<${tag.text}>`);
        return { isReady: true };
    }
  }

  #readFeatures(tag: Tag): Omit<ScriptStep, 'usedBytes'> {
    if (this.#depth === 0 && (tag.name !== 'features' || tag.kind === 'close')) {
      throw unexpected('xmpp', `<${tag.text}>`);
    }
    const isTls = this.#depth === 1 && tag.name === 'starttls' && tag.text.includes(TLS_NAMESPACE);
    if (isTls && tag.kind !== 'close') this.#isOffered = true;
    if (tag.kind === 'open') this.#depth += 1;
    if (tag.kind === 'close') this.#depth -= 1;
    if (this.#depth > 0) return {};
    if (!this.#isOffered) throw notOffered('xmpp');
    this.#phase = 'answer';
    return { send: Buffer.from(`<starttls xmlns='${TLS_NAMESPACE}'/>`) };
  }

  #readAnswer(tag: Tag): Omit<ScriptStep, 'usedBytes'> {
    const isTls = tag.text.includes(TLS_NAMESPACE) && tag.kind !== 'close';
    if (isTls && tag.name === 'failure') throw serverRefusal('xmpp', 'failure');
    if (!isTls || tag.name !== 'proceed') throw unexpected('xmpp', `<${tag.text}>`);
    if (tag.kind === 'empty') return { isReady: true };
    this.#phase = 'proceed';
    return {};
  }
}
