import { once } from 'node:events';
import http from 'node:http';
import test, { type ExecutionContext } from 'ava';
import { startCli, type Cli } from './cli.ts';

/** What a request to a control address got. */
export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests compare it with what they expect
  readonly body: any;
}

export interface AskOptions {
  /** Sent as JSON; a text as it is. */
  readonly body?: unknown;
  readonly headers?: http.OutgoingHttpHeaders;
}

/** Sends a request. `address` is host and port, or the path of a Unix socket. */
export async function askControl(
  address: string,
  method: string,
  path: string,
  { body, headers }: AskOptions = {},
): Promise<Answer> {
  const [, host, port] = /^(.*):(\d+)$/.exec(address) ?? [];
  const place = port === undefined ? { socketPath: address } : { host, port };
  const request = http.request({
    ...place,
    method,
    path,
    agent: false,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
  });
  // After the response it is the response that tells; before, once() does.
  request.on('error', () => undefined);
  request.end(body === undefined || typeof body === 'string' ? body : JSON.stringify(body));
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  response.setEncoding('utf8');
  let text = '';
  for await (const part of response) text += String(part);
  const isJson = text !== '' && response.headers['content-type'] === 'application/json';
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    text,
    body: isJson ? (JSON.parse(text) as unknown) : undefined,
  };
}

/** Starts `tnet proxy --control`, on a free port, with other words. */
export async function startControlled(
  t: ExecutionContext,
  ...words: readonly string[]
): Promise<{
  readonly cli: Cli;
  readonly ask: (method: string, path: string, options?: AskOptions) => Promise<Answer>;
  readonly address: string;
}> {
  const own = words.includes('--control') ? [] : ['--control', '127.0.0.1:0'];
  const cli = startCli(t, ['proxy', ...own, ...words]);
  const [, url = ''] = await cli.said(/steered at (\S+)\n/);
  const address = url.replace(/^http:\/\/(.*)\/$/, '$1');
  return { cli, address, ask: (method, path, options) => askControl(address, method, path, options) };
}

/** How the clients of a steered proxy may be served, as words of its command line. */
const processes: readonly (readonly [by: string, words: readonly string[]])[] = [
  ['one process', []],
  ['two workers', ['--workers', '2']],
];

/** A test of what is the same, whoever serves the clients. @param define default: test() of AVA */
export function testInBoth(
  title: string,
  run: (t: ExecutionContext, start: typeof startControlled) => Promise<void>,
  define: (title: string, run: (t: ExecutionContext) => Promise<void>) => void = test,
): void {
  for (const [by, words] of processes) {
    define(`${title} (served by ${by})`, (t) =>
      run(t, (_t, ...others) => startControlled(t, ...words, ...others)),
    );
  }
}
