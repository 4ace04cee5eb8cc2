/** How many bytes at the end begin a UTF-8 character and do not end it: 0 to 3. Source: RFC 3629 section 3. */
export function incompleteTail(bytes: Buffer): number {
  for (let length = 1; length <= Math.min(3, bytes.length); length++) {
    const byte = bytes[bytes.length - length] ?? 0;
    if (byte < 0x80) return 0;
    if (byte >= 0xc0) return characterBytes(byte) > length ? length : 0;
  }
  return 0;
}

/** The length of a character by its first byte. One that begins none counts as whole. */
function characterBytes(first: number): number {
  if (first >= 0xf5 || first < 0xc2) return 1;
  return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
}
