import { accessSync, closeSync, constants, openSync } from 'node:fs';
import { formatEndpoint, type Endpoint } from '../../address/endpoint.ts';
import { TnetError } from '../../errors.ts';
import { isTerminal } from '../../report/is-terminal.ts';
import { requireProgram } from './program.ts';

/**
 * Checks that an end of this machine is there, without using it: a program that can be run, a file that can be read, a
 * serial line that can be opened. False for another kind of endpoint, which has to be connected to.
 *
 * @throws what dialling it would throw
 */
export function probeLocal(endpoint: Endpoint): boolean {
  switch (endpoint.kind) {
    case 'exec':
    case 'pty':
      requireProgram(endpoint);
      return true;
    case 'file':
      accessSync(endpoint.path, constants.R_OK);
      return true;
    case 'serial':
      probeLine(endpoint.path, formatEndpoint(endpoint));
      return true;
    default:
      return false;
  }
}

function probeLine(path: string, subject: string): void {
  const fd = openSync(path, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  const isLine = isTerminal(fd);
  closeSync(fd);
  if (!isLine) throw new TnetError('TNET_E_ADDRESS', 'this is not a serial line', { subject });
}
