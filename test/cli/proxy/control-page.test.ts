import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { ask as exchange } from '../../helpers/bytes.ts';
import { chromium, openPage, type BrowserPage, type PageLook } from '../../helpers/chromium.ts';
import { startControlled, type AskOptions } from '../../helpers/control.ts';
import { tempDir } from '../../helpers/temp.ts';

const token = 'a-token-of-many-letters';
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

if (chromium === undefined) console.log('skipped: Chromium is not installed');
const testPage = chromium === undefined ? test.serial.skip : test.serial;

/** A steered proxy before an echo server, with a client, and its page in a browser. */
async function startPage(t: ExecutionContext, words: readonly string[] = [], look: PageLook = {}) {
  t.timeout(120_000);
  const server = net.createServer((socket) => socket.on('error', () => undefined).pipe(socket));
  t.teardown(() => server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const target = `127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  const { cli, address, ask } = await startControlled(t, ...words, '127.0.0.1:0', target);
  const client = net.connect(await cli.port(), '127.0.0.1').on('error', () => undefined);
  t.teardown(() => client.destroy());
  await exchange(client, 'first', 5);
  const page = await openPage(t, `http://${address}/`, look);
  const faults = async (options?: AskOptions) =>
    (await ask('GET', '/v1/pairs/127.0.0.1:0/faults', options)).body.faults as Record<string, any>[]; // eslint-disable-line @typescript-eslint/no-explicit-any
  return { page, client, ask, faults, target };
}

/** Begins the tap of the first connection from the keyboard. */
async function startTap(page: BrowserPage): Promise<void> {
  await page.until("document.querySelector('#connections tr')");
  await page.tabTo('[aria-label="Tap connection 1"]');
  await page.press('Enter');
  await page.until("document.activeElement.id === 'tap-title'");
  await page.until("document.querySelector('#tap-state').textContent === 'listening'");
}

const logText = "document.querySelector('#tap-log').innerText";

/** What axe-core complains about. */
async function findViolations(page: BrowserPage): Promise<readonly string[]> {
  await page.evaluate(`${axe}; 0`);
  return page.evaluate(`axe.run().then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.map((node) => id + ': ' + node.html + ' ' + node.failureSummary)))`);
}

testPage(
  'the page shows pairs, targets, connections and totals, and Chromium complains about nothing',
  async (t) => {
    const { page, target, client } = await startPage(t, ['--latency', '20ms']);
    await page.until("document.querySelector('#connections tr')");
    const text = await page.evaluate<string>('document.body.innerText');
    t.regex(text, /\blive\b/);
    t.true(text.includes(target));
    t.true(text.includes(`127.0.0.1:${client.localPort}`));
    t.regex(text, /Faults: 1 on/);
    t.regex(text, /20 ms/);
    await exchange(client, 'x'.repeat(50_000), 50_000);
    await page.until("document.querySelector('#connections .up').textContent.startsWith('50.0 kB')");
    await page.until(
      "document.querySelector('#connections polyline.up').getAttribute('points').includes(' ')",
    );
    client.destroy();
    await page.until("!document.querySelector('#connections tr')");
    await page.until("/ ended /.test(document.querySelector('#events').textContent)");
    t.deepEqual(page.problems, []);
  },
);

testPage('the page shows what a client said before its stream began', async (t) => {
  const { page, ask, target } = await startPage(t);
  const settings = { listen: '127.0.0.1:0', targets: [], socks: true };
  const { body } = await ask('POST', '/v1/pairs', { body: { name: 'socks', settings } });
  const { address } = body as { readonly address: string };
  const client = net.connect(Number(address.split(':').at(-1)), '127.0.0.1');
  t.teardown(() => client.destroy());
  const port = Number(target.split(':').at(-1));
  t.deepEqual(await exchange(client, Buffer.from([5, 1, 0]), 2), Buffer.from([5, 0]));
  await exchange(client, Buffer.from([5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 255]), 10);
  await page.until(`document.querySelector('#connections').innerText.includes(', connect ${target}')`);
  t.deepEqual(page.problems, []);
});

testPage(
  'a fault is switched on, changed and switched off from the keyboard, and acts at once',
  async (t) => {
    const { page, client, faults } = await startPage(t);
    await page.until("document.querySelector('.fault input')");
    await page.tabTo('[aria-label="latency"] [role="switch"]');
    await page.press(' ');
    await page.until("document.querySelector('summary').textContent === 'Faults: 1 on'");
    t.deepEqual(await faults(), [
      { name: 'latency', direction: 'both', toxicity: 1, fault: { kind: 'latency', delayMs: 100 } },
    ]);
    const startedAt = performance.now();
    await exchange(client, 'slow', 4);
    t.true(performance.now() - startedAt >= 170);
    await page.press('Tab');
    await page.press('ArrowRight');
    await page.until("document.querySelector('.fault output').textContent === '110 ms'");
    // What is shown is what was chosen; what was changed shows in the next answer.
    while ((await faults())[0]?.['fault'].delayMs !== 110)
      await once(client, 'data', { signal: AbortSignal.timeout(50) }).catch(() => undefined);
    await page.evaluate("document.querySelector('.fault [role=switch]').focus()");
    await page.press(' ');
    await page.until("document.querySelector('summary').textContent === 'Faults: 0 on'");
    t.deepEqual(await faults(), []);
    t.deepEqual(page.problems, []);
  },
);

testPage('a connection is reset, a target and a pair are disabled from the keyboard', async (t) => {
  const { page, client, ask } = await startPage(t);
  await page.until("document.querySelector('#connections tr')");
  const isClosed = new Promise((resolve) => client.once('close', resolve));
  await page.tabTo('[aria-label="Reset connection 1"]');
  await page.press('Enter');
  await isClosed;
  await page.until("document.activeElement.id === 'connections-title'");
  await page.tabTo('.pair li [role="switch"]');
  await page.press(' ');
  await page.until(
    "!document.querySelector('.pair li [role=switch]').checked && document.querySelector('#state').textContent === 'live'",
  );
  await page.tabTo('.head [role="switch"]');
  await page.press(' ');
  await page.until("document.querySelector('.head').textContent.includes('not bound')");
  const { body } = await ask('GET', '/v1/pairs');
  t.deepEqual([body.pairs[0].isEnabled, body.pairs[0].targets[0].isEnabled], [false, false]);
  t.deepEqual(page.problems, []);
});

testPage(
  'the tap of a connection shows bytes of both directions, and what is searched for is found',
  async (t) => {
    const { page, client } = await startPage(t);
    await startTap(page);
    // In two pieces: what is searched for may lie in both.
    await exchange(client, 'GET /nee', 8);
    await exchange(client, 'dle HTTP/1.1\r\n\r\n\0', 17);
    await page.until(`${logText}.split('<').length >= 4`);
    t.regex(await page.evaluate(logText), /> 00000005 47 45 54 20 2f 6e 65 65 +\|GET \/nee\|/);
    await page.tabTo('#tap-query');
    await page.type('needle');
    await page.until("document.querySelector('#tap-found').textContent === '2 matches'");
    t.is(
      await page.evaluate(
        "[...document.querySelectorAll('#tap-log .up mark')].map((one) => one.textContent).join('')",
      ),
      '6e 65 65 nee64 6c 65 dle',
    );
    await page.press('Enter');
    await page.until("document.querySelector('#tap-found').textContent === 'match 1 of 2'");
    await page.evaluate("document.querySelector('#tap-query').select()");
    await page.type('0d 0a 0d 0a');
    await page.until("document.querySelector('#tap-found').textContent === '2 matches'");
    await page.evaluate(
      "document.querySelector('#tap-view').value = 'text'; document.querySelector('#tap-direction').value = 'up'; document.querySelector('#tap-view').dispatchEvent(new Event('change'))",
    );
    await page.until(`!${logText}.includes('<') && ${logText}.includes('> dle HTTP/1.1\u240d')`);
    t.true((await page.evaluate<string>(logText)).includes('\u2400'));
    t.deepEqual(page.problems, []);
  },
);

testPage('a paused tap stands still and has what came meanwhile afterwards', async (t) => {
  const { page, client } = await startPage(t);
  await startTap(page);
  await page.tabTo('#tap-pause');
  await page.press(' ');
  await exchange(client, 'meanwhile', 9);
  await page.until("document.querySelector('#tap-pause').textContent === 'Pause (2 waiting)'");
  t.false((await page.evaluate<string>(logText)).includes('meanw'));
  await page.press(' ');
  await page.until(`${logText}.includes('meanw')`);
  client.end();
  await page.until("document.querySelector('#tap-state').textContent === 'connection 1 is over'");
  await page.until(`/= end of up[^]*= closed: eof/.test(${logText})`);
  t.deepEqual(page.problems, []);
});

testPage('a recording is saved as a pcapng file', async (t) => {
  const { page, client } = await startPage(t);
  const folder = tempDir(t);
  await page.send('Page.setDownloadBehavior', { behavior: 'allow', downloadPath: folder });
  await startTap(page);
  await page.tabTo('#tap-record');
  await page.press(' ');
  await page.until("document.querySelector('#tap-record').textContent === 'Save the recording'");
  await exchange(client, 'recorded', 8);
  await page.until(`${logText}.includes('recorded')`);
  client.end();
  await page.until("document.querySelector('#tap-record').textContent === 'Record as pcapng'");
  const file = join(folder, 'connection-1.pcapng');
  while (!existsSync(file)) await page.evaluate('new Promise((resolve) => setTimeout(resolve, 50))');
  t.deepEqual(readdirSync(folder), ['connection-1.pcapng']);
  const bytes = readFileSync(file);
  t.is(bytes.readUInt32LE(0), 0x0a0d0d0a);
  t.true(bytes.includes('recorded'));
});

testPage('nothing can be changed without the token, which is kept in memory alone', async (t) => {
  const file = join(tempDir(t), 'token');
  writeFileSync(file, token);
  const { page } = await startPage(t, ['--control-token-file', file]);
  await page.until("document.querySelector('#state').textContent === 'live, read-only without the token'");
  const enabled =
    "[...document.querySelectorAll('main input[role=switch], [data-writes]')].filter((one) => !one.disabled).length";
  await page.until("document.querySelector('#connections tr')");
  t.is(await page.evaluate(enabled), 0);
  await page.tabTo('#token');
  await page.type('a-wrong-token-of-someone');
  await page.press('Enter');
  await page.until("document.querySelector('#problem').textContent === 'The token is wrong.'");
  t.is(page.problems.filter((problem) => !problem.includes('401')).length, 0);
  await page.type(token);
  await page.press('Enter');
  await page.until("document.querySelector('#state').textContent === 'live'");
  t.true((await page.evaluate<number>(enabled)) > 10);
  await startTap(page);
  t.deepEqual(
    await page.evaluate(
      '[localStorage.length, sessionStorage.length, document.cookie, location.href.includes("token")]',
    ),
    [0, 0, '', false],
  );
});

testPage(
  'an address that other machines reach shows its page, and nothing else without the token',
  async (t) => {
    const file = join(tempDir(t), 'token');
    writeFileSync(file, token);
    const words = ['--control', '0.0.0.0:0', '--control-allow', '127.0.0.1', '--control-token-file', file];
    const { page } = await startPage(t, words);
    await page.until(
      "document.querySelector('#state').textContent === 'the token is needed to see anything'",
    );
    await page.tabTo('#token');
    await page.type(token);
    await page.press('Enter');
    await page.until("document.querySelector('#connections tr')");
    t.deepEqual(page.problems, []);
  },
);

for (const [name, look] of [
  ['in light', {}],
  ['in dark', { isDark: true }],
  ['at 360 px', { width: 360, height: 640 }],
] as const)
  testPage(
    `axe-core finds nothing to complain about ${name}, and nothing has to be scrolled sideways`,
    async (t) => {
      const { page, client } = await startPage(t, ['--latency', '20ms'], look);
      await startTap(page);
      await exchange(client, 'some bytes to be looked at', 26);
      await page.evaluate(
        "document.querySelector('#tap-query').value = 'bytes'; document.querySelector('#tap-query').dispatchEvent(new Event('input'))",
      );
      await page.until("document.querySelector('#tap-log mark')");
      t.deepEqual(await findViolations(page), []);
      t.true(await page.evaluate('document.scrollingElement.scrollWidth <= innerWidth'));
      t.is(await page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches"), 'isDark' in look);
      const [back, text] = await page.evaluate<string[]>(
        '[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]',
      );
      t.is(lightness(back) < lightness(text), 'isDark' in look);
      t.deepEqual(page.problems, []);
    },
  );

function lightness(colour = ''): number {
  return (colour.match(/\d+/g) ?? []).reduce((sum, part) => sum + Number(part), 0);
}
