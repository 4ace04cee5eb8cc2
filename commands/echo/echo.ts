import type { Called, CommandDefinition } from '../options/called.ts';
import { echoLayout, type EchoOptions } from './options.ts';

/** `tnet echo [options] [ADDRESS]`: an echo server and the other small services, and their client. */
export const echoCommand: CommandDefinition = {
  operands: [['[address...]', 'PORT, HOST:PORT, HOST PORT or /path']],
  layout: echoLayout,
  run: runEcho,
};

async function runEcho(words: string[], options: EchoOptions, command: Called): Promise<void> {
  if (options.ping) {
    const { pingEcho } = await import('./ping.ts');
    await pingEcho(words, options, command);
    return;
  }
  const { serveEcho } = await import('./serve.ts');
  await serveEcho(words, options, command);
}
