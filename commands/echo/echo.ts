import type { Command } from 'commander';
import { addOptions } from '../options/build.ts';
import { echoLayout, type EchoOptions } from './options.ts';

/** `tnet echo [options] [ADDRESS]`: an echo server and the other small services, and their client. */
export function defineEcho(command: Command): void {
  command.argument('[address...]', 'PORT, HOST:PORT, HOST PORT or /path');
  addOptions(command, 'echo', echoLayout);
  command.action(runEcho);
}

async function runEcho(words: string[], options: EchoOptions, command: Command): Promise<void> {
  if (options.ping) {
    const { pingEcho } = await import('./ping.ts');
    await pingEcho(words, options, command);
    return;
  }
  const { serveEcho } = await import('./serve.ts');
  await serveEcho(words, options, command);
}
