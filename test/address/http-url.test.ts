import test from 'ava';
import fc from 'fast-check';
import { formatEndpoint } from '../../src/address/endpoint.ts';
import { isHttpUrl, parseHttpUrl } from '../../src/address/http-url.ts';

for (const [url, address, path, host] of [
  ['http://localhost:8080/health', 'localhost:8080', '/health', 'localhost:8080'],
  ['http://localhost', 'localhost:80', '/', 'localhost'],
  ['http://localhost/', 'localhost:80', '/', 'localhost'],
  ['http://localhost:80/', 'localhost:80', '/', 'localhost'],
  ['HTTPS://Example.com', 'tls://Example.com:443', '/', 'Example.com'],
  ['https://h:8443?ready=1', 'tls://h:8443', '/?ready=1', 'h:8443'],
  ['https://h/a/b?c=d/e:f@g#part', 'tls://h:443', '/a/b?c=d/e:f@g', 'h'],
  ['http://[::1]:81/x', '[::1]:81', '/x', '[::1]:81'],
  ['http://[::1]', '[::1]:80', '/', '[::1]'],
  ['http://[fe80::1%eth0]:81/', '[fe80::1%eth0]:81', '/', '[fe80::1]:81'],
  ['http://127.0.0.1#x', '127.0.0.1:80', '/', '127.0.0.1'],
] as const) {
  test(`${url} asks ${address} for ${path}`, (t) => {
    const target = parseHttpUrl(url);
    t.deepEqual([formatEndpoint(target.endpoint), target.path, target.host], [address, path, host]);
    t.is(target.url, url.replace(/#.*/, ''));
  });
}

for (const [url, message] of [
  ['ftp://h/', /expected a URL/],
  ['http:/h', /expected a URL/],
  ['http://', /the host is empty/],
  ['http:///path', /the host is empty/],
  ['http://:80/', /the host is empty/],
  ['http://h:/', /the port is missing/],
  ['http://h:0/', /port 0 cannot be connected to/],
  ['http://h:65536/', /from 0 to 65535/],
  ['http://0x7f.1/', /not an IP address/],
  ['http://::1/', /needs brackets/],
  ['http://h/a b', /percent-encoded/],
  ['http://h/ä', /percent-encoded/],
  ['http://h/a\r\nX: y', /percent-encoded/],
  ['http://me:secret@h/', /cannot contain a user name/],
] as const) {
  test(`${JSON.stringify(url)} is refused`, (t) => {
    const error = t.throws(() => parseHttpUrl(url), { code: 'TNET_E_ADDRESS', message });
    t.false((error as unknown as { subject: string }).subject.includes('secret'));
  });
}

test('any path and query of visible characters is asked for as it is written', (t) => {
  const visible = fc.string({
    unit: fc
      .integer({ min: 0x21, max: 0x7e })
      .map((code) => String.fromCharCode(code))
      .filter((one) => one !== '#'),
  });
  fc.assert(
    fc.property(visible, fc.integer({ min: 1, max: 65_535 }), (rest, port) => {
      const { path, endpoint } = parseHttpUrl(`http://h:${port}/${rest}`);
      t.deepEqual([path, endpoint.port], [`/${rest}`, port]);
    }),
  );
});

test('any text after http:// is read or refused as an address', (t) => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      t.true(isHttpUrl(`http://${text}`));
      try {
        const { path, host } = parseHttpUrl(`http://${text}`);
        t.regex(path, /^\/[\x21-\x7e]*$/);
        t.not(host, '');
      } catch (error) {
        t.is((error as { code: string }).code, 'TNET_E_ADDRESS');
      }
    }),
  );
});
