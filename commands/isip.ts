import type { Command } from 'commander';
export function defineIsip(command: Command): void {
  command.argument('[address...]');
}
