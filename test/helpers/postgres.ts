import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Pair } from './certificates.ts';
import { closedPort } from './cli.ts';
import { startProgram, waitForPort } from './processes.ts';
import { tempDir } from './temp.ts';

/** Debian keeps the programs of each version in a folder that is not in the path. */
const versions = '/usr/lib/postgresql';

const folder = existsSync(versions)
  ? readdirSync(versions)
      .map((version) => join(versions, version, 'bin'))
      .find((bin) => existsSync(join(bin, 'postgres')))
  : undefined;

/** `test.serial` where PostgreSQL is installed; else a skip, with the reason printed. */
export function testWithPostgres(): typeof test.serial | typeof test.serial.skip {
  if (folder !== undefined) return test.serial;
  console.log('skipped: PostgreSQL is not installed');
  return test.serial.skip;
}

/** The full path of one of PostgreSQL's programs. */
export function postgresProgram(name: string): string {
  return join(folder ?? versions, name);
}

/** PostgreSQL with a cluster of its own, trusting everybody, on a port and a Unix socket. */
export interface Postgres {
  readonly port: number;
  /** The path of its Unix socket. */
  readonly path: string;
}

/** Starts one; with a certificate it offers TLS. It refuses to run as root, so root runs it as `postgres`. */
export async function startPostgres(t: ExecutionContext, certificate?: Pair): Promise<Postgres> {
  const [uid, gid] = findUser();
  const dir = tempDir(t);
  const data = join(dir, 'data');
  mkdirSync(data, { mode: 0o700 });
  for (const path of [dir, data]) chownSync(path, uid, gid);
  const asPostgres = { uid, gid, cwd: dir, env: { ...process.env, PGDATA: data } };
  const initdb = ['-A', 'trust', '-U', 'postgres', '-N', '--no-locale', '-E', 'UTF8'];
  execFileSync(postgresProgram('initdb'), initdb, { ...asPostgres, stdio: 'ignore' });
  if (certificate) {
    for (const [from, name] of [
      [certificate.certFile, 'server.crt'],
      [certificate.keyFile, 'server.key'],
    ] as const) {
      copyFileSync(from, join(data, name));
      chmodSync(join(data, name), 0o600);
      chownSync(join(data, name), uid, gid);
    }
  }
  const port = await closedPort();
  const settings = [
    `ssl=${certificate ? 'on' : 'off'}`,
    `port=${port}`,
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${dir}`,
    'fsync=off',
  ];
  const words = settings.flatMap((setting) => ['-c', setting]);
  const child = startProgram(t, postgresProgram('postgres'), words, asPostgres);
  await waitForPort(port, child);
  return { port, path: join(dir, `.s.PGSQL.${port}`) };
}

function findUser(): [number, number] {
  const { getuid, getgid } = process;
  if (getuid?.() !== 0) return [getuid?.() ?? 0, getgid?.() ?? 0];
  const [uid = 0, gid = 0] = ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'postgres'])));
  return [uid, gid];
}
