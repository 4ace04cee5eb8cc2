import { requirePassedOutput } from '../../../src/serve/descriptor.ts';
import { readCount } from '../../../src/quantities.ts';
import { TnetError } from '../../../src/errors.ts';
import { isWorker } from '../../is-worker.ts';
import { anyEnd, connectedEnds, sessions, type Mode, type Need, type OptionTable } from '../row.ts';
import { readOwner } from '../owner.ts';
import { file, text, toggle, time } from '../value-kinds.ts';

/** What a proxy can do for clients that come to a listener. */
const proxied: readonly Mode[] = ['workers', 'names', 'replay-target'];

function needsSocketFile(why: string): readonly Need[] {
  const called = `with -U: ${why}`;
  return [
    { anyOf: ['unix'], called, in: 'listen' },
    { anyOf: ['unix'], called, in: 'echo' },
    // A target may be a Unix socket, too.
    { anyOf: ['LISTEN is a path'], called: `where LISTEN is a path: ${why}`, in: 'proxy' },
  ];
}

/** How a server binds its address, and whom it tells. */
export const bind = {
  mode: {
    flags: '--mode <bits>',
    help: 'permissions of the -U socket, as 0600',
    helpIn: { proxy: 'permissions of the Unix socket that is LISTEN, as 0600' },
    value: text(readFileMode, '0600'),
    config: true,
    in: { listen: ['server'], echo: ['server'], proxy: ['server'] },
    ends: anyEnd,
    modes: [...sessions, ...proxied],
    needs: needsSocketFile('it sets the permissions of a Unix socket'),
    lane: true,
    test: 'cli/listen/bind.test.ts',
  },
  owner: {
    flags: '--owner <user:group>',
    help: 'owner of the -U socket; either may be left out, or be a number',
    helpIn: { proxy: 'owner of the Unix socket that is LISTEN; either may be left out, or be a number' },
    value: text(readOwner, '0:0'),
    config: true,
    in: { listen: ['server'], echo: ['server'], proxy: ['server'] },
    ends: anyEnd,
    modes: [...sessions, ...proxied],
    needs: needsSocketFile('it sets the owner of a Unix socket'),
    lane: true,
    test: 'cli/proxy/bind.test.ts',
  },
  retryBind: {
    flags: '--retry-bind',
    help: 'while the address is in use, try again every second',
    value: toggle,
    config: true,
    in: { listen: ['server'], echo: ['server'], proxy: ['server'] },
    ends: anyEnd,
    modes: [...sessions, 'answers', ...proxied],
    lane: true,
    test: 'cli/listen/bind.test.ts',
  },
  pause: {
    flags: '--pause <time>',
    help: 'after each client, accept no other for this long',
    value: time,
    config: true,
    in: { listen: ['server'], echo: ['server'], proxy: ['server'] },
    ends: connectedEnds,
    modes: [...sessions, ...proxied],
    needs: [{ anyOf: ['keepOpen'], called: 'with -k', in: 'listen' }],
    test: 'cli/listen/bind.test.ts',
  },
  readyFd: {
    flags: '--ready-fd <n>',
    help: 'once bound, write the address to this descriptor',
    helpIn: { proxy: 'once all is bound, write the addresses to this descriptor' },
    value: text(readReadyFd, '2'),
    in: { listen: ['server'], echo: ['server'], proxy: ['process'] },
    ends: anyEnd,
    modes: [...sessions, 'answers', 'workers'],
    test: 'cli/listen/bind.test.ts',
  },
  readyFile: {
    flags: '--ready-file <file>',
    help: 'once bound, write the address to this file',
    helpIn: { proxy: 'once all is bound, write the addresses to this file' },
    value: file,
    in: { listen: ['server'], echo: ['server'], proxy: ['process'] },
    ends: anyEnd,
    modes: [...sessions, 'answers', 'workers'],
    test: 'cli/listen/bind.test.ts',
  },
} as const satisfies OptionTable;

/** Permission bits in octal: `0600`, `660`. */
function readFileMode(word: string): number {
  if (/^0?[0-7]{3}$/.test(word)) return Number.parseInt(word, 8);
  throw new TnetError('TNET_E_USAGE', 'permissions are three octal digits, such as 0600');
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
