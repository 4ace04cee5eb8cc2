import { Argument, type Command } from 'commander';
import { writeResult } from '../output.ts';
import type { CompletionModel } from './model.ts';

type Writer = (model: CompletionModel) => string;

const shells: Readonly<Record<string, () => Promise<Writer>>> = {
  bash: async () => (await import('./bash.ts')).writeBashCompletion,
  zsh: async () => (await import('./zsh.ts')).writeZshCompletion,
  fish: async () => (await import('./fish.ts')).writeFishCompletion,
};

/**
 * `tnet completion SHELL`: prints a script that makes the shell complete tnet's command lines.
 *
 * @param buildTree builds the commander tree with every command whole
 */
export function defineCompletion(command: Command, buildTree: () => Promise<Command>): void {
  command
    .addArgument(new Argument('<shell>', 'the shell to print it for').choices(Object.keys(shells)))
    .action(async (shell: string) => {
      const { readCompletionModel } = await import('./model.ts');
      const write = await shells[shell]?.();
      if (write) writeResult(write(readCompletionModel(await buildTree())));
    });
}
