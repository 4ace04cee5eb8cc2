import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type net from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { collect, payload } from '../../helpers/bytes.ts';
import { startCli } from '../../helpers/cli.ts';
import { chromium, startBrowser } from '../../helpers/chromium.ts';
import { testWith } from '../../helpers/programs.ts';
import { tempDir } from '../../helpers/temp.ts';

const run = promisify(execFile);

/** A web server of some files, and a proxy; `asked` are the requests that came through it. */
async function start(t: ExecutionContext, files: Readonly<Record<string, string | Buffer>>) {
  const asked: string[] = [];
  const server = http.createServer((request, response) => {
    asked.push(`${request.method ?? ''} ${request.url ?? ''} via ${String(request.headers.via)}`);
    const file = files[request.url ?? ''];
    if (request.method === 'POST') request.pipe(response);
    else
      response.writeHead(file === undefined ? 404 : 200, { 'Content-Length': file?.length ?? 0 }).end(file);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const cli = startCli(t, ['proxy', '127.0.0.1:0', '--http']);
  const { port } = server.address() as net.AddressInfo;
  const proxy = `http://${await cli.address()}`;
  const env = { ...process.env, http_proxy: proxy, https_proxy: proxy, no_proxy: '', NO_PROXY: '' };
  return { asked, proxy, url: `http://127.0.0.1:${port}`, env };
}

testWith('curl')('curl with http_proxy gets, sends and asks several times on one connection', async (t) => {
  const body = payload(200_000);
  const { url, env, asked } = await start(t, { '/a': 'A', '/b': 'B', '/big': body });
  t.is((await run('curl', ['-sf', `${url}/a`, `${url}/b`], { env })).stdout, 'AB');
  const folder = tempDir(t);
  const [sent, got] = [join(folder, 'sent'), join(folder, 'got')];
  writeFileSync(sent, body);
  await run('curl', ['-sf', '-o', got, '--data-binary', `@${sent}`, `${url}/echo`], { env });
  t.true(readFileSync(got).equals(body));
  await run(
    'curl',
    ['-sf', '-o', got, '-H', 'Transfer-Encoding: chunked', '--data-binary', `@${sent}`, url],
    { env },
  );
  t.true(readFileSync(got).equals(body));
  t.regex((await run('curl', ['-sfI', `${url}/big`], { env })).stdout, /Content-Length: 200000\r\n/);
  t.is((await run('curl', ['-sfp', `${url}/a`], { env })).stdout, 'A');
  t.deepEqual(asked.slice(0, 2), ['GET /a via 1.1 tnet', 'GET /b via 1.1 tnet']);
  t.is(asked.at(-1), 'GET /a via undefined');
});

testWith('wget')('wget with http_proxy gets a file', async (t) => {
  const body = payload(100_000);
  const { url, env, asked } = await start(t, { '/file': body });
  const file = join(tempDir(t), 'file');
  await run('wget', ['-q', '-O', file, `${url}/file`], { env });
  t.true(readFileSync(file).equals(body));
  t.deepEqual(asked, ['GET /file via 1.1 tnet']);
});

testWith('apt-get')('apt-get updates and downloads through the proxy', async (t) => {
  const packages = ['one', 'two', 'three'].map((name) => {
    const bytes = payload(50_000);
    const sum = createHash('sha256').update(bytes).digest('hex');
    const entry =
      `Package: ${name}\nVersion: 1\nArchitecture: all\nMaintainer: x <x@example.com>\nFilename: ./${name}.deb\n` +
      `Size: ${bytes.length}\nSHA256: ${sum}\nDescription: ${name}\n`;
    return { name, bytes, entry };
  });
  const list = packages.map(({ entry }) => entry).join('\n');
  const sum = createHash('sha256').update(list).digest('hex');
  const release = `Date: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n ${sum} ${list.length} Packages\n`;
  const { url, proxy, env, asked } = await start(t, {
    '/./Release': release,
    '/./Packages': list,
    ...Object.fromEntries(packages.map(({ name, bytes }) => [`/./${name}.deb`, bytes])),
  });
  const folder = tempDir(t);
  for (const one of ['state/lists/partial', 'cache/archives/partial', 'etc', 'here'])
    mkdirSync(join(folder, one), { recursive: true });
  writeFileSync(join(folder, 'status'), '');
  writeFileSync(join(folder, 'etc/sources.list'), `deb [trusted=yes] ${url}/ ./\n`);
  const options = [
    ...[`Dir::State=${folder}/state`, `Dir::State::status=${folder}/status`, `Dir::Cache=${folder}/cache`],
    ...[`Dir::Etc=${folder}/etc`, `Dir::Log=${folder}`, 'APT::Sandbox::User=root', 'Acquire::Languages=none'],
    ...[`Acquire::http::Proxy=${proxy}/`, 'Acquire::AllowInsecureRepositories=true'],
  ].flatMap((option) => ['-o', option]);
  const apt = (...words: readonly string[]) =>
    run('apt-get', [...options, '-qq', ...words], { env, cwd: join(folder, 'here') });
  await apt('update');
  await apt('download', ...packages.map(({ name }) => name));
  for (const { name, bytes } of packages)
    t.true(readFileSync(join(folder, 'here', `${name}_1_all.deb`)).equals(bytes), name);
  t.true(
    asked.every((one) => one.endsWith(' via 1.1 tnet')),
    asked.join('\n'),
  );
});

if (!chromium) console.log('skipped: Chromium is not installed');
(chromium ? test.serial : test.serial.skip)('Chromium loads a page through the proxy', async (t) => {
  const { url, proxy, asked } = await start(t, { '/page': '<title>t</title><p>through the proxy</p>' });
  const words = [`--proxy-server=${proxy}`, '--proxy-bypass-list=<-loopback>', '--dump-dom', `${url}/page`];
  const browser = startBrowser(t, ...words);
  browser.stderr.resume();
  t.regex(String(await collect(browser.stdout)), /through the proxy/);
  t.true(asked.includes('GET /page via 1.1 tnet'));
});
