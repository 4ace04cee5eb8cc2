import { requirePassedOutput } from '../../../src/serve/descriptor.ts';
import { readCount } from '../../../src/quantities.ts';
import { TnetError } from '../../../src/errors.ts';
import { isWorker } from '../../proxy/is-worker.ts';
import { anyEnd, sessions, streamEnds } from '../modes.ts';
import type { OptionTable } from '../row.ts';
import { file, text, time, toggle } from '../value-kinds.ts';

/** How a server binds its address, and whom it tells. */
export const bind = {
  mode: {
    flags: '--mode <bits>',
    help: 'permissions of the -U socket, as 0600',
    value: text(readFileMode, '0600'),
    in: { listen: ['server'], echo: ['server'] },
    ends: streamEnds,
    modes: sessions,
    needs: [{ anyOf: ['unix'], called: 'with -U: it sets the permissions of a Unix socket' }],
    test: 'cli/listen-bind.test.ts',
  },
  retryBind: {
    flags: '--retry-bind',
    help: 'while the address is in use, try again every second',
    value: toggle,
    in: { listen: ['server'], echo: ['server'] },
    ends: anyEnd,
    modes: [...sessions, 'answers'],
    test: 'cli/listen-bind.test.ts',
  },
  pause: {
    flags: '--pause <time>',
    help: 'accept nobody for this long after each client',
    value: time,
    in: { listen: ['server'], echo: ['server'] },
    ends: streamEnds,
    modes: sessions,
    needs: [{ anyOf: ['keepOpen'], called: 'with -k', in: 'listen' }],
    test: 'cli/listen-bind.test.ts',
  },
  readyFd: {
    flags: '--ready-fd <n>',
    help: 'once bound, write the address to this descriptor',
    helpIn: { proxy: 'once all is bound, write the addresses to this descriptor' },
    value: text(readReadyFd, '2'),
    in: { listen: ['server'], echo: ['server'], proxy: ['process'] },
    ends: anyEnd,
    modes: [...sessions, 'answers', 'workers'],
    test: 'cli/listen-bind.test.ts',
  },
  readyFile: {
    flags: '--ready-file <file>',
    help: 'once bound, write the address to this file',
    helpIn: { proxy: 'once all is bound, write the addresses to this file' },
    value: file,
    in: { listen: ['server'], echo: ['server'], proxy: ['process'] },
    ends: anyEnd,
    modes: [...sessions, 'answers', 'workers'],
    test: 'cli/listen-bind.test.ts',
  },
} as const satisfies OptionTable;

/** Permission bits in octal: `0600`, `660`. */
export function readFileMode(word: string): number {
  if (/^0?[0-7]{3}$/.test(word)) return Number.parseInt(word, 8);
  throw new TnetError('TNET_E_USAGE', 'Permissions are three octal digits, such as 0600.');
}

/**
 * A descriptor that was passed to this process. It is looked at at once: later the number may be that of a file of ours.
 *
 * @throws TnetError TNET_E_DESCRIPTOR
 */
function readReadyFd(word: string): number {
  const fd = readCount(word, 1);
  // It was passed to the process that starts the workers, which have the same arguments.
  if (!isWorker()) requirePassedOutput(fd);
  return fd;
}
