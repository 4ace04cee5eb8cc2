/** A number of so many bytes before bytes: a TLS vector. */
function vector(size: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length = Buffer.alloc(size);
  length.writeUIntBE(body.length, 0, size);
  return Buffer.concat([length, body]);
}

/** A TLS extension. */
export function extension(type: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type >> 8, type & 255]), vector(2, body)]);
}

/** The body of server_name with one host name. */
export function serverName(name: string): Buffer {
  return extension(0, vector(2, Buffer.from([0]), vector(2, Buffer.from(name, 'latin1'))));
}

/** The body of application_layer_protocol_negotiation. */
export function alpn(...protocols: string[]): Buffer {
  return extension(16, vector(2, ...protocols.map((name) => vector(1, Buffer.from(name)))));
}

/** The body of supported_versions. */
export function supportedVersions(...versions: number[]): Buffer {
  return extension(43, vector(1, ...versions.map((version) => Buffer.from([version >> 8, version & 255]))));
}

/** The handshake message of a ClientHello with these extensions; undefined = none of the kind at all. */
export function buildHello(extensions: readonly Buffer[] | undefined): Buffer {
  return Buffer.concat([
    Buffer.from([1]),
    vector(
      3,
      Buffer.from([3, 3]),
      Buffer.alloc(32, 7),
      vector(1, Buffer.alloc(32, 9)),
      vector(2, Buffer.from([0x13, 1, 0x13, 2])),
      vector(1, Buffer.from([0])),
      extensions ? vector(2, ...extensions) : Buffer.alloc(0),
    ),
  ]);
}

/** A handshake message in records of at most `recordBytes`. */
export function cutIntoRecords(message: Buffer, recordBytes: number): Buffer {
  const records: Buffer[] = [];
  for (let start = 0; start < message.length; start += recordBytes) {
    records.push(Buffer.from([22, 3, 1]), vector(2, message.subarray(start, start + recordBytes)));
  }
  return Buffer.concat(records);
}
