/** Bytes from hex with any white space between, for tables of exact bytes. */
export function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
}

/** Bytes from a text of one byte a character. */
export function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}
