import { existsSync, lstatSync } from 'node:fs';
import { dirname } from 'node:path';
import { formatEndpoint, type Endpoint } from '../address/endpoint.ts';
import { errorCode, TnetError } from '../errors.ts';

/** @throws TnetError TNET_E_USAGE for an endpoint without a file that could have a mode or an owner */
export function requireSocketFile(endpoint: Endpoint): void {
  const message =
    process.platform === 'win32'
      ? '--mode and --owner: named pipes have no permissions as Unix sockets do'
      : 'path' in endpoint && endpoint.path.startsWith('\0')
        ? '--mode and --owner are for files, and an abstract socket has none'
        : undefined;
  if (message !== undefined)
    throw new TnetError('TNET_E_USAGE', message, { subject: formatEndpoint(endpoint) });
}

/** EADDRINUSE on a path does not say who has it. */
export function explainPathError(path: string, error: unknown): unknown {
  // libuv reports EACCES for a folder that does not exist.
  if (
    ['EACCES', 'ENOENT'].includes(errorCode(error) ?? '') &&
    !path.startsWith('\0') &&
    !existsSync(dirname(path))
  ) {
    return new TnetError('TNET_E_ADDRESS', 'its folder does not exist', { subject: path, cause: error });
  }
  if (errorCode(error) !== 'EADDRINUSE' || path.startsWith('\0')) return error;
  const isSocket = lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true;
  const message = isSocket
    ? 'another server is listening on this path'
    : 'the path is taken by a file that is not a socket';
  return new TnetError('TNET_E_PATH_IN_USE', message, { subject: path, cause: error });
}
