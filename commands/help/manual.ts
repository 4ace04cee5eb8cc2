import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { TnetError } from '../../src/errors.ts';
import { isTerminal } from '../../src/report/is-terminal.ts';
import { writeResult } from '../output.ts';
import { showText } from './pager.ts';

/**
 * Shows a page of the manual that is part of the package: with man(1), else with mandoc(1), else its path is
 * printed.
 *
 * @param name a command's, or '' for tnet(1)
 * @throws TnetError TNET_E_UNSUPPORTED where the manual is not packaged, as in the single executable
 */
export function showManual(name: string): void {
  const page = name === '' ? 'tnet' : `tnet-${name}`;
  const file = join(import.meta.dirname, '..', 'man', `${page}.1`);
  if (!existsSync(file)) {
    throw new TnetError('TNET_E_UNSUPPORTED', 'this build has no manual: see --help', {
      subject: `${page}(1)`,
    });
  }
  const env = { MANWIDTH: isTerminal(1) ? undefined : '80', ...process.env };
  if (
    isTerminal(1) &&
    spawnSync('man', ['-l', file], { stdio: ['inherit', 'inherit', 'ignore'], env }).status === 0
  )
    return;
  const text = render('man', ['-l', file], env) ?? render('mandoc', ['-Tutf8', file], env);
  // Bold and underlined letters are written over each other, which a pager shows.
  if (text !== undefined) showText(isTerminal(1) ? text : text.replace(/.\x08/gu, ''));
  else writeResult(`${file}\n`);
}

/** What a program prints, or undefined where it is not there or fails. */
function render(program: string, args: readonly string[], env: NodeJS.ProcessEnv): string | undefined {
  const { status, stdout } = spawnSync(program, args, {
    encoding: 'utf8',
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return status === 0 && stdout !== '' ? stdout : undefined;
}
