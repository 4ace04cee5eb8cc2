import { streamEnds, type OptionTable } from '../row.ts';
import { list, positiveSize, text, toggle } from '../value-kinds.ts';

/** Files in place of standard input. */
export const sendingFiles = {
  sendFile: {
    flags: '--send-file <path>',
    help: 'send this file to a listen --receive, and see that it arrives whole; may be repeated',
    value: list((path) => path, '/nowhere/file', 'file'),
    in: { connect: ['client'] },
    ends: streamEnds,
    turnsOn: 'files',
    test: 'cli/files.test.ts',
  },
} as const satisfies OptionTable;

/** Files in place of standard output. */
export const receivingFiles = {
  receive: {
    flags: '--receive <dir>',
    help: 'receive files from connect --send-file into this folder; interrupted ones are resumed',
    value: text((folder) => folder, '/nowhere', 'folder'),
    in: { listen: ['server'] },
    ends: streamEnds,
    modes: ['many'],
    turnsOn: 'files',
    test: 'cli/files.test.ts',
  },
  overwrite: {
    flags: '--overwrite',
    help: 'with --receive: replace files that have the same name',
    value: toggle,
    in: { listen: ['server'] },
    ends: streamEnds,
    modes: ['many', 'files'],
    needs: [{ anyOf: ['receive'] }],
    test: 'cli/files.test.ts',
  },
  maxSize: {
    flags: '--max-size <size>',
    help: 'with --receive: refuse longer files',
    value: positiveSize,
    in: { listen: ['server'] },
    ends: streamEnds,
    modes: ['many', 'files'],
    needs: [{ anyOf: ['receive'] }],
    test: 'cli/files.test.ts',
  },
} as const satisfies OptionTable;
