import test from 'ava';
import { describeValues } from '../../../src/serve/greeting/header-values.ts';

test('every value of a PROXY header is reported under its name', (t) => {
  const ssl = {
    ...{ isTls: true, hasCertificate: false, hasSessionCertificate: true, verify: 0 },
    ...{ version: 'TLSv1.3', commonName: 'bob', cipher: 'AES' },
  };
  t.deepEqual(
    describeValues([
      { type: 'alpn', protocol: 'h2' },
      { type: 'authority', name: 'a.example' },
      { type: 'unique-id', bytes: Buffer.from('id-1') },
      { type: 'netns', name: 'blue' },
      { type: 'ssl', ssl },
      { type: 'crc32c', value: 7 },
      { type: 'other', code: 0xe0, bytes: Buffer.from('x') },
      { type: 'other', code: 0x0a, bytes: Buffer.alloc(0) },
    ]),
    {
      ...{ alpn: 'h2', authority: 'a.example', uniqueId: 'id-1', netns: 'blue' },
      ...{ tls: 'TLSv1.3', cipher: 'AES', commonName: 'bob', verified: true },
      ...{ checksum: true, others: ['0xe0', '0x0a'] },
    },
  );
});

test('a unique id that is no text is shown in hex, and TLS without details as such', (t) => {
  const ssl = { isTls: true, hasCertificate: false, hasSessionCertificate: false, verify: 1 };
  t.deepEqual(
    describeValues([
      { type: 'unique-id', bytes: Buffer.from([0, 255]) },
      { type: 'ssl', ssl },
    ]),
    { uniqueId: '0x00ff', tls: 'TLS' },
  );
  t.deepEqual(describeValues([]), {});
});
