import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import tls from 'node:tls';
import test, { type ExecutionContext } from 'ava';
import { collectUntilClose, payload } from '../../helpers/bytes.ts';
import { createAuthority } from '../../helpers/certificates.ts';
import { startCli } from '../../helpers/cli.ts';
import { toTarget } from '../../helpers/peers.ts';
import { tempDir } from '../../helpers/temp.ts';
import { engines } from '../../helpers/ways.ts';

const kinds = ['tcp', 'unix', 'abstract', 'tls', 'tls 1.2'] as const;
type Kind = (typeof kinds)[number];

const authority = createAuthority();
const certificate = authority.issue('server', 'DNS:localhost,IP:127.0.0.1');
test.after.always(() => authority.remove());

/** How long the server waits after the client's end: longer than any timer that a relay could have for this. */
const silenceMs = 10_000;

interface Exchange {
  readonly question: Buffer;
  readonly answer: Buffer;
}

/** A server of a kind that reads to the end, is silent for a while, and answers. Gives its address. */
async function startSlowServer(
  t: ExecutionContext,
  kind: Kind,
  { question, answer }: Exchange,
): Promise<string> {
  const serve = (socket: net.Socket) => {
    t.teardown(() => socket.destroy());
    void collectUntilClose(socket).then(async ({ bytes, error }) => {
      const isWhole = !error && bytes.equals(question);
      await delay(silenceMs);
      socket.end(isWhole ? answer : `${bytes.length} bytes came, ${error?.message ?? 'no error'}`);
    });
  };
  const server = kind.startsWith('tls')
    ? tls.createServer(
        {
          ...versionOf(kind),
          cert: certificate.cert,
          key: certificate.key,
          allowHalfOpen: true,
        } as tls.TlsOptions,
        serve,
      )
    : net.createServer({ allowHalfOpen: true }, serve);
  t.teardown(() => server.close());
  if (kind === 'unix') server.listen(join(tempDir(t), 's'));
  else if (kind === 'abstract') server.listen(`\0${tempDir(t)}`);
  else server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address()!;
  if (typeof address !== 'string')
    return `${kind.startsWith('tls') ? 'tls://' : ''}127.0.0.1:${address.port}`;
  return address.startsWith('\0') ? `unix:@${address.slice(1)}` : address;
}

function versionOf(kind: Kind): { maxVersion?: 'TLSv1.2' } {
  return kind === 'tls 1.2' ? { maxVersion: 'TLSv1.2' } : {};
}

function listenAddress(t: ExecutionContext, kind: Kind): string {
  if (kind === 'unix') return join(tempDir(t), 's');
  if (kind === 'abstract') return `unix:@${tempDir(t)}`;
  return '127.0.0.1:0';
}

function connectTo(kind: Kind, address: string): net.Socket {
  const target = { ...toTarget(address), allowHalfOpen: true };
  return kind.startsWith('tls')
    ? tls.connect({
        ...target,
        ...versionOf(kind),
        ca: authority.ca,
        servername: 'localhost',
      } as tls.ConnectionOptions)
    : net.connect(target);
}

for (const { engine, env } of engines) {
  test(`an answer that comes ten seconds after the client's end is whole, between all kinds of ends (${engine})`, async (t) => {
    t.timeout(120_000);
    const cells = kinds.flatMap((client) => kinds.map((target) => ({ client, target })));
    const file = join(tempDir(t), 'proxy.json');
    const rows = await Promise.all(
      cells.map(async ({ client, target }) => {
        const exchange = { question: payload(100_001), answer: payload(100_003) };
        const pair = {
          listen: listenAddress(t, client),
          targets: [await startSlowServer(t, target, exchange)],
          ...(client.startsWith('tls') && {
            tlsIn: true,
            tlsCert: certificate.certFile,
            tlsKey: certificate.keyFile,
          }),
          ...(target.startsWith('tls') && { tlsOut: true, tlsCa: authority.caFile }),
        };
        return { name: `${client} to ${target}`, client, exchange, pair };
      }),
    );
    writeFileSync(file, JSON.stringify({ pairs: rows.map(({ pair }) => pair) }));
    const cli = startCli(t, ['proxy', '--config', file], { env });
    const said = await cli.said(new RegExp(`(?:.+ listening on .+\n){${rows.length}}`));
    const bound = [...said[0].matchAll(/listening on (.+)\n/g)].map((match) => match[1]!);
    const outcomes = await Promise.all(
      rows.map(async ({ name, client, exchange: { question, answer } }, index) => {
        const socket = connectTo(client, bound[index]!);
        t.teardown(() => socket.destroy());
        // Sent as soon as there is a connection: what breaks shows in what comes back.
        socket.end(question);
        const { bytes, error } = await collectUntilClose(socket);
        if (error) return `${name}: ${error.message}`;
        return bytes.equals(answer)
          ? undefined
          : `${name}: ${bytes.length < 200 ? bytes.toString() : bytes.length}`;
      }),
    );
    t.deepEqual(outcomes.filter(Boolean), [], cli.stderr());
    t.deepEqual(
      cli
        .stderr()
        .trimEnd()
        .split('\n')
        .filter((line) => !line.includes('listening on')),
      [],
    );
  });
}
