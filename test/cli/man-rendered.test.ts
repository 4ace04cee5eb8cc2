import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { commandTable } from '../../commands/command-table.ts';
import { examplesOf, readPage } from '../helpers/man-page.ts';
import { testWith } from '../helpers/programs.ts';

const renderers: readonly (readonly [program: string, ...args: string[]])[] = [
  ['mandoc', '-Tascii'],
  ['mandoc', '-Tutf8'],
  ['man', '-l'],
];
const pages = ['tnet', ...commandTable.map(({ name }) => `tnet-${name}`)];

for (const [program, ...args] of renderers) {
  for (const page of pages) {
    testWith(program)(
      `${[program, ...args].join(' ')} shows the examples of ${page}(1) as they are typed`,
      (t) => {
        const file = fileURLToPath(new URL(`../../man/${page}.1`, import.meta.url));
        const env = { ...process.env, MANWIDTH: '80', LC_ALL: 'C.UTF-8', MAN_KEEP_FORMATTING: undefined };
        const { stdout, status } = spawnSync(program, [...args, file], { encoding: 'utf8', env });
        t.is(status, 0);
        // Bold and underlined letters are written over each other.
        const lines = stdout
          .replace(/.\x08/g, '')
          .split('\n')
          .map((line) => line.trim());
        for (const { commands } of examplesOf(readPage(page)))
          for (const command of commands) t.true(lines.includes(`$ ${command}`), command);
      },
    );
  }
}
