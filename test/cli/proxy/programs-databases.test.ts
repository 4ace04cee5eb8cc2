import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { sameBytes } from '../../helpers/bytes.ts';
import { createAuthority } from '../../helpers/certificates.ts';
import { closedPort, startCli } from '../../helpers/cli.ts';
import { postgresProgram, startPostgres, testWithPostgres } from '../../helpers/postgres.ts';
import { startProgram, waitForPort } from '../../helpers/processes.ts';
import { testWith } from '../../helpers/programs.ts';
import { tempDir } from '../../helpers/temp.ts';
import { engines, expectProgram, startWays, type Way } from '../../helpers/ways.ts';

async function startRedis(t: ExecutionContext): Promise<{ port: number; path: string }> {
  const dir = tempDir(t);
  const port = await closedPort();
  const path = join(dir, 's');
  const words = [
    '--port',
    String(port),
    '--unixsocket',
    path,
    '--dir',
    dir,
    '--save',
    '',
    '--bind',
    '127.0.0.1',
  ];
  await waitForPort(port, startProgram(t, 'redis-server', words));
  return { port, path };
}

const redisWords = ({ port, path }: Omit<Way, 'name'>) =>
  path === undefined ? ['-h', '127.0.0.1', '-p', String(port)] : ['-s', path];

/** Commands of the wire protocol, for `redis-cli --pipe`: values of any bytes. */
function encodeSets(values: readonly Buffer[]): Buffer {
  const parts = values.flatMap((value, index) => {
    const key = `key:${index}`;
    return [
      Buffer.from(`*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n`),
      value,
      Buffer.from('\r\n'),
    ];
  });
  return Buffer.concat(parts);
}

for (const choice of engines) {
  testWith(
    'redis-server',
    'redis-cli',
    'redis-benchmark',
  )(`redis-cli and redis-benchmark find no difference through a proxy (${choice.engine})`, async (t) => {
    const redis = await startRedis(t);
    const values = Array.from({ length: 300 }, (_, index) => randomBytes(index * 20));
    values.push(randomBytes(3_000_000));
    const last = `key:${values.length - 1}`;
    // One proxy in front of the port, and one in front of the socket.
    const ways = [
      { name: 'straight', port: redis.port } as const,
      ...(await startWays(t, `127.0.0.1:${redis.port}`, choice)),
      ...(await startWays(t, redis.path, choice)),
    ];
    for (const way of ways) {
      const run = (program: string, args: string[], stdin: Buffer | string = '') =>
        expectProgram(program, [...redisWords(way), ...args], { stdin });
      await run('redis-cli', ['FLUSHALL']);
      const said = (await run('redis-cli', ['--pipe'], encodeSets(values))).toString();
      t.regex(said, new RegExp(`errors: 0, replies: ${values.length}\n`), way.name);
      sameBytes(t, await run('redis-cli', ['GET', last]), Buffer.concat([values.at(-1)!, Buffer.from('\n')]));
      t.is(String(await run('redis-cli', ['STRLEN', 'key:299'])), '5980\n');
      t.is(
        String(await run('redis-cli', [], 'PING\nECHO hello\nDBSIZE\n')),
        `PONG\nhello\n${values.length}\n`,
      );
      const bench = ['-n', '2000', '-c', '20', '-P', '4', '-q', '-t', 'set,get,lpush,mset', '--csv'];
      const rows = String(await run('redis-benchmark', bench)).match(/^"[^"]+","\d/gm) ?? [];
      t.deepEqual(
        rows.map((row) => row.split('"')[1]!.slice(0, 4)),
        ['SET', 'GET', 'LPUS', 'MSET'],
        way.name,
      );
      t.is(
        String(await run('redis-cli', ['LLEN', 'mylist'])),
        '2000\n',
        'each push of the benchmark came once',
      );
    }
  });
}

testWithPostgres()('psql and pgbench find no difference through a proxy, with either engine', async (t) => {
  t.timeout(240_000);
  const postgres = await startPostgres(t);
  const name = '.s.PGSQL.5432';
  const ways: Way[] = [{ name: 'straight', port: postgres.port }];
  for (const choice of engines) {
    ways.push(...(await startWays(t, `127.0.0.1:${postgres.port}`, choice, name)));
    ways.push(...(await startWays(t, postgres.path, choice, name)));
  }
  // Read line by line by COPY, in and out again: about a megabyte each way.
  const lines = Array.from(
    { length: 12_000 },
    (_, row) => `${row}\t${randomBytes(30).toString('hex')}\n`,
  ).join('');
  const file = join(tempDir(t), 'script.sql');
  writeFileSync(file, 'UPDATE counted SET n = n + 1;\n');
  for (const way of ways) {
    const env = {
      PGUSER: 'postgres',
      PGDATABASE: 'postgres',
      PGHOST: way.path === undefined ? '127.0.0.1' : dirname(way.path),
      PGPORT: String(way.port ?? 5432),
    };
    const psql = (stdin: string | undefined, ...commands: string[]) =>
      expectProgram(
        postgresProgram('psql'),
        ['-X', '-q', '-A', '-t', ...commands.flatMap((one) => ['-c', one])],
        { env, stdin },
      );
    await psql(undefined, 'DROP TABLE IF EXISTS copied, counted', 'CREATE TABLE copied (n int, text text)');
    await psql(lines, 'COPY copied FROM STDIN');
    sameBytes(t, await psql(undefined, 'COPY copied TO STDOUT'), Buffer.from(lines));
    t.is(String(await psql(undefined, 'SELECT count(*), sum(n) FROM copied')), '12000|71994000\n', way.name);
    await psql(undefined, 'CREATE TABLE counted (n int)', 'INSERT INTO counted VALUES (0)');
    const bench = ['-n', '-f', file, '-c', '4', '-t', '25'];
    const said = String(await expectProgram(postgresProgram('pgbench'), bench, { env }));
    t.regex(said, /number of transactions actually processed: 100\/100\n/, way.name);
    t.is(String(await psql(undefined, 'SELECT n FROM counted')), '100\n', way.name);
  }
});

const reports = [
  { engine: 'the express lane', env: {} },
  { engine: 'the native engine', env: { TNET_EXPRESS: '0' } },
  { engine: 'Node streams', env: { TNET_NATIVE: '0' } },
] as const;

// The server closes with the client's end of TLS unread, which is a reset, and the client is gone when the server's comes.
testWithPostgres()(
  'psql over TLS gets its answers, and no failure of the server is told, on every engine',
  async (t) => {
    t.timeout(120_000);
    const authority = createAuthority();
    t.teardown(() => authority.remove());
    const postgres = await startPostgres(t, authority.issue('postgres', 'IP:127.0.0.1'));
    for (const { engine, env } of reports) {
      const cli = startCli(t, ['proxy', '127.0.0.1:0', `127.0.0.1:${postgres.port}`], { env });
      const [, port = ''] = await cli.said(/listening on 127\.0\.0\.1:(\d+)\n/);
      const url = `postgresql://postgres@127.0.0.1:${port}/postgres?sslmode=require`;
      for (let round = 0; round < 5; round++) {
        const answer = await expectProgram(postgresProgram('psql'), [
          '-X',
          '-A',
          '-t',
          '-c',
          'SELECT 42',
          url,
        ]);
        t.is(String(answer), '42\n', engine);
      }
      cli.child.kill('SIGTERM');
      await cli.exit;
      // Where psql's system resets before the server has ended, that is what an abort looks like, and is told as one.
      const reset = String.raw`tnet proxy: 127\.0\.0\.1:\d+: connection reset by peer \(ECONNRESET\)\n`;
      const said = `^tnet proxy: listening on .+\n(${reset}|tnet proxy: waiting for .+\n)*tnet proxy: 5 connections.+\n$`;
      t.regex(cli.stderr(), new RegExp(said), engine);
      t.notRegex(cli.stderr(), new RegExp(`: 127\\.0\\.0\\.1:${postgres.port}: `), engine);
    }
  },
);
