import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { ExecutionContext } from 'ava';
import { WebSocket } from 'ws';
import { findProgram } from './programs.ts';
import { tempDir } from './temp.ts';

/** The Chromium of this machine; undefined: it has none. */
export const chromium = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome'].find(
  (name) => findProgram(name) !== undefined,
);

export interface PageLook {
  readonly width?: number;
  readonly height?: number;
  readonly isDark?: boolean;
}

/** A page of a browser, which is steered over the DevTools protocol. */
export interface BrowserPage {
  /** What the page's console and its network have complained about. */
  readonly problems: readonly string[];
  /** The value of an expression, awaited. */
  readonly evaluate: <Value = unknown>(expression: string) => Promise<Value>;
  /** Waits until an expression is true. */
  readonly until: (expression: string) => Promise<void>;
  readonly press: (key: keyof typeof keys) => Promise<void>;
  readonly type: (text: string) => Promise<void>;
  /** Presses Tab until the focus is on what the selector says. */
  readonly tabTo: (selector: string) => Promise<void>;
  readonly look: (look: PageLook) => Promise<void>;
  /** A PNG of the whole page. */
  readonly screenshot: () => Promise<Buffer>;
  readonly send: (method: string, params?: object) => Promise<Record<string, unknown>>;
}

const keys = {
  Tab: { code: 'Tab', windowsVirtualKeyCode: 9 },
  Enter: { code: 'Enter', windowsVirtualKeyCode: 13, text: '\r' },
  ' ': { code: 'Space', windowsVirtualKeyCode: 32, text: ' ' },
  ArrowRight: { code: 'ArrowRight', windowsVirtualKeyCode: 39 },
  End: { code: 'End', windowsVirtualKeyCode: 35 },
};

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--lang=en'];

/** Starts a browser until the test is over, or `close` is called. Its output has to be read. */
export function startBrowser(
  t: ExecutionContext,
  ...words: readonly string[]
): { readonly stdout: Readable; readonly stderr: Readable; readonly close: () => Promise<void> } {
  const child = spawn(chromium!, [...flags, `--user-data-dir=${tempDir(t)}`, ...words], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TZ: 'UTC' },
  });
  const close = async () => {
    // Its helpers have them as well, and may live on for a moment.
    child.stdout.destroy();
    child.stderr.destroy();
    if (child.exitCode !== null || child.signalCode !== null) return;
    // What is started may be a script, with the browser as its child.
    process.kill(-child.pid!, 'SIGKILL');
    await once(child, 'exit');
  };
  t.teardown(close);
  return { stdout: child.stdout, stderr: child.stderr, close };
}

/** Starts a browser with one page, until the test is over. */
export async function openPage(t: ExecutionContext, url: string, look: PageLook = {}): Promise<BrowserPage> {
  const { stdout, stderr } = startBrowser(t, '--remote-debugging-port=0', 'about:blank');
  stdout.resume();
  let address: string | undefined;
  for await (const line of createInterface({ input: stderr })) {
    address = /^DevTools listening on (ws:\S+)/.exec(line)?.[1];
    if (address !== undefined) break;
  }
  stderr.resume();
  if (address === undefined) throw new Error('Chromium has not said where it listens');
  const socket = new WebSocket(address, { perMessageDeflate: false });
  t.teardown(() => socket.terminate());
  await once(socket, 'open');
  const { ask, on } = createSession(socket);
  const { targetId } = await ask('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await ask('Target.attachToTarget', { targetId, flatten: true });
  const send = (method: string, params: object = {}) => ask(method, params, sessionId as string);
  const page = createPage(send);
  const problems: string[] = [];
  on('Runtime.exceptionThrown', ({ exceptionDetails }) => {
    problems.push(`${exceptionDetails.text} ${exceptionDetails.exception?.description}`);
  });
  on('Runtime.consoleAPICalled', ({ type, args }) => {
    if (type === 'error' || type === 'warning') problems.push(`${type}: ${JSON.stringify(args)}`);
  });
  on('Log.entryAdded', ({ entry }) => problems.push(`${entry.level}: ${entry.text} ${entry.url ?? ''}`));
  for (const domain of ['Page', 'Runtime', 'Log']) await send(`${domain}.enable`);
  await page.look(look);
  const loaded = new Promise<void>((resolve) => on('Page.loadEventFired', () => resolve()));
  await send('Page.navigate', { url });
  await loaded;
  return { ...page, problems };
}

function createSession(socket: WebSocket) {
  const waiting = new Map<number, (message: Message) => void>();
  const listeners = new Map<string, (params: NonNullable<Message['params']>) => void>();
  let last = 0;
  socket.on('message', (data: Buffer) => {
    const message = JSON.parse(data.toString()) as Message;
    if (message.id !== undefined) waiting.get(message.id)?.(message);
    else listeners.get(message.method ?? '')?.(message.params ?? {});
  });
  const ask = async (method: string, params: object, sessionId?: string) => {
    const id = ++last;
    const answered = new Promise<Message>((resolve) => waiting.set(id, resolve));
    socket.send(JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) }));
    const { result = {}, error } = await answered;
    waiting.delete(id);
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  };
  return { ask, on: listeners.set.bind(listeners) };
}

function createPage(send: BrowserPage['send']): Omit<BrowserPage, 'problems'> {
  const evaluate = async <Value>(expression: string) => {
    const { result, exceptionDetails } = await send('Runtime.evaluate', {
      ...{ expression, awaitPromise: true, returnByValue: true },
    });
    if (exceptionDetails !== undefined) throw new Error(`${expression}: ${JSON.stringify(exceptionDetails)}`);
    return (result as { readonly value: Value }).value;
  };
  const press = async (key: keyof typeof keys) => {
    await send('Input.dispatchKeyEvent', { type: 'keyDown', key, ...keys[key] });
    await send('Input.dispatchKeyEvent', { type: 'keyUp', key, ...keys[key], text: undefined });
  };
  return {
    send,
    evaluate,
    press,
    async type(text) {
      await send('Input.insertText', { text });
    },
    // What a page shows may change without a mutation, such as whether a switch is on.
    until: async (expression) => {
      const isTrue = await evaluate(`new Promise((resolve) => {
        const look = () => { if (${expression}) { clearInterval(timer); clearTimeout(limit); resolve(true); } };
        const timer = setInterval(look, 50);
        const limit = setTimeout(() => { clearInterval(timer); resolve(false); }, 30000);
        look();
      })`);
      if (isTrue !== true) throw new Error(`not in a minute: ${expression}`);
    },
    async tabTo(selector) {
      for (let count = 0; count < 200; count++) {
        await press('Tab');
        if (await evaluate<boolean>(`document.activeElement.matches(${JSON.stringify(selector)})`)) return;
      }
      throw new Error(`the keyboard does not get to ${selector}`);
    },
    async look({ width = 1280, height = 900, isDark = false }) {
      await send('Emulation.setDeviceMetricsOverride', {
        width,
        height,
        deviceScaleFactor: 1,
        mobile: false,
      });
      const features = [
        { name: 'prefers-color-scheme', value: isDark ? 'dark' : 'light' },
        { name: 'prefers-reduced-motion', value: 'reduce' },
      ];
      await send('Emulation.setEmulatedMedia', { features });
    },
    async screenshot() {
      const { data } = await send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true });
      return Buffer.from(data as string, 'base64');
    },
  };
}
