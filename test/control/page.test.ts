import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { createPageInterface } from '../../src/control/page/page.ts';
import { chromium, openPage, type BrowserPage } from '../helpers/chromium.ts';

if (chromium === undefined) console.log('skipped: Chromium is not installed');
const testPage = chromium === undefined ? test.serial.skip : test.serial;

const latency = {
  name: 'latency',
  direction: 'down',
  toxicity: 0.5,
  fault: { kind: 'latency', delayMs: 800 },
};
const data: Readonly<Record<string, unknown>> = {
  '/v1/pairs': {
    pairs: [
      {
        ...{ name: 'database', isEnabled: true, address: '127.0.0.1:15432', settings: {}, faults: [latency] },
        targets: [
          { address: '10.0.0.1:5432', isEnabled: true, isUp: true, connections: 2 },
          { address: '10.0.0.2:5432', isEnabled: false, isUp: false, connections: 0 },
        ],
      },
    ],
  },
  '/v1/connections': {
    connections: [1, 2].map((id) => ({
      ...{ id, pair: 'database', remote: `127.0.0.1:4000${id}`, target: '10.0.0.1:5432', ageMs: id * 5000 },
      ...{ sentBytes: id * 123_456, receivedBytes: id * 789, greeting: null },
      ...{ sentBytesPerSecond: 0, receivedBytesPerSecond: 0 },
    })),
  },
  '/v1/totals': {
    ...{ connections: 12, open: 2, sentBytes: 4_000_000, receivedBytes: 90_000, failed: 1, probes: 3 },
    refused: { access: 4 },
  },
};
const tapped = [
  { event: 'open', id: 2, offsets: { up: 0, down: 0 }, ended: [] },
  { event: 'data', direction: 'up', offset: 0, atMs: 1_800_000_000_000, base64: btoa('SELECT 1;\n') },
  { event: 'data', direction: 'down', offset: 0, atMs: 1_800_000_000_020, base64: btoa('\x01\x02one row') },
];

/** The page with data that never change. */
async function servePage(t: ExecutionContext): Promise<string> {
  const answerPage = createPageInterface({ isPublic: false });
  const server = http.createServer((request, response) => {
    const { url = '', method = '' } = request;
    const known = data[url];
    if (known !== undefined) return void response.end(JSON.stringify(known));
    if (url.startsWith('/v1/')) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': begin\n\n');
      if (url.endsWith('/tap'))
        for (const event of tapped) response.write(`data: ${JSON.stringify(event)}\n\n`);
      return;
    }
    const path = url.split('/').filter((part) => part !== '');
    const asked = { method, path, query: new URLSearchParams(), headers: {}, text: '', body: undefined };
    void answerPage(asked).then((answer) => {
      response.writeHead(answer?.status ?? 404, answer?.headers).end(answer?.body);
    });
  });
  t.teardown(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** What the reference pictures were made with: the widths of a text in both fonts, and the browser. */
const madeWith = '1548 1686 156';
const measure = `(() => {
  const canvas = document.createElement('canvas').getContext('2d');
  const widths = ['system-ui', 'monospace'].map((font) => {
    canvas.font = '100px ' + font;
    return Math.round(canvas.measureText('Tap of connection 1234567890').width);
  });
  return [...widths, navigator.userAgent.match(/Chrome\\/(\\d+)/)[1]].join(' ');
})()`;

/** How many of the pixels of two pictures differ clearly, from 0 to 1. */
async function compare(page: BrowserPage, one: Buffer, other: Buffer): Promise<number> {
  await page.send('Page.navigate', { url: 'about:blank' });
  const urls = [one, other].map((png) => `data:image/png;base64,${png.toString('base64')}`);
  return page.evaluate<number>(`(async () => {
    const pictures = await Promise.all(${JSON.stringify(urls)}.map(async (src) => {
      const image = Object.assign(new Image(), { src });
      await image.decode();
      const { width, height } = image;
      const context = Object.assign(document.createElement('canvas'), { width, height }).getContext('2d');
      context.drawImage(image, 0, 0);
      return { width, height, data: context.getImageData(0, 0, width, height).data };
    }));
    const [a, b] = pictures;
    if (a.width !== b.width || a.height !== b.height) return 1;
    let differing = 0;
    for (let at = 0; at < a.data.length; at += 4)
      if ([0, 1, 2].some((part) => Math.abs(a.data[at + part] - b.data[at + part]) > 48)) differing++;
    return differing / (a.width * a.height);
  })()`);
}

/** What has to hold in every font: nothing lies over something else, or beyond the edge. */
const misplaced = `(() => {
  const all = [...document.querySelectorAll('h1, h2, h3, button, input, select, output, dt, dd, td, svg, #tap-log')];
  const boxes = all
    .map((element) => ({ element, box: element.getBoundingClientRect() }))
    .filter(({ box }) => box.width > 1);
  return boxes.flatMap(({ element, box }, index) => [
    ...(box.right > innerWidth + 0.5 || box.left < 0 ? ['beyond the edge: ' + element.outerHTML] : []),
    ...boxes.slice(index + 1)
      .filter(({ element: other, box: { left, right, top, bottom } }) =>
        !element.contains(other) && !other.contains(element) &&
        left < box.right - 1 && right > box.left + 1 && top < box.bottom - 1 && bottom > box.top + 1)
      .map(({ element: other }) => element.outerHTML + ' is over ' + other.outerHTML),
  ]);
})()`;

for (const [name, look] of [
  ['light', {}],
  ['dark-360', { width: 360, height: 640, isDark: true }],
] as const)
  testPage(`the page looks as its reference does: ${name}`, async (t) => {
    t.timeout(120_000);
    const page = await openPage(t, await servePage(t), look);
    await page.until("document.querySelector('#connections tr')");
    await page.evaluate("document.querySelector('#connections button').click()");
    await page.until("document.querySelectorAll('#tap-log > div').length === 2");
    t.deepEqual(await page.evaluate(misplaced), []);
    t.deepEqual(page.problems, []);
    const present = await page.evaluate<string>(measure);
    const file = new URL(`page-${name}.png`, import.meta.url);
    const picture = await page.screenshot();
    if (process.env['TNET_WRITE_PICTURES'] !== undefined || !existsSync(file)) {
      console.log(`written: ${file.pathname}, made with ${present}`);
      writeFileSync(file, picture);
    }
    if (present !== madeWith) {
      t.log(
        `not compared pixel by pixel: made with ${madeWith} (widths of the fonts, browser), here ${present}`,
      );
      return;
    }
    const share = await compare(page, picture, readFileSync(file));
    if (share > 0.01) writeFileSync(`${file.pathname}.now.png`, picture);
    t.true(share <= 0.01, `${share * 100} % of the pixels differ: see ${file.pathname}.now.png`);
  });
