import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { TnetError } from '../../src/errors.ts';
import type { UnixOwner } from '../../src/net/unix-listener.ts';

/** Numbers above are not to be had: the highest one says "unchanged" to chown(2). */
const highestId = 2 ** 32 - 2;

/**
 * USER, USER:GROUP or :GROUP, each by name or number.
 *
 * @throws TnetError TNET_E_USAGE, also for names that the system does not know
 */
export function readOwner(text: string): UnixOwner {
  const match = /^([^:]*)(?::([^:]+))?$/.exec(text);
  const [, user = '', group] = match ?? [];
  if (!match || (user === '' && group === undefined))
    throw new TnetError('TNET_E_USAGE', 'an owner is USER, USER:GROUP or :GROUP');
  return {
    ...(user !== '' && { uid: readId(user, 'passwd') }),
    ...(group !== undefined && { gid: readId(group, 'group') }),
  };
}

function readId(name: string, database: 'passwd' | 'group'): number {
  const id = /^\d+$/.test(name) ? Number(name) : (findInFile(name, database) ?? ask(name, database));
  if (id !== undefined && id <= highestId) return id;
  const kind = database === 'passwd' ? 'user' : 'group';
  throw new TnetError('TNET_E_USAGE', `there is no ${kind} ${JSON.stringify(name)}`);
}

/** Source: passwd(5), group(5): the name is the first field, the number the third. */
function findInFile(name: string, database: string): number | undefined {
  try {
    return findEntry(readFileSync(`/etc/${database}`, 'utf8'), name);
  } catch {
    return undefined;
  }
}

/** Names may come from elsewhere than a file, such as a directory server: getent(1) asks wherever nsswitch.conf(5) says. */
function ask(name: string, database: string): number | undefined {
  const { status, stdout } = spawnSync('getent', [database, '--', name], { encoding: 'utf8' });
  return status === 0 ? findEntry(stdout, name) : undefined;
}

function findEntry(text: string, name: string): number | undefined {
  const entry = text.split('\n').find((line) => line.startsWith(`${name}:`));
  const id = entry?.split(':')[2];
  return id !== undefined && /^\d+$/.test(id) ? Number(id) : undefined;
}
