import type { StepOptions } from './steps.ts';
import type { TerminalFlags } from './terminal.ts';

/** Whether nothing stands between stdin, stdout and the connection but what every session has. */
export function isPlainSession(flags: TerminalFlags & StepOptions & { readonly timing?: boolean }): boolean {
  const { telnet, raw, delay, expect, send, timing } = flags;
  return ![telnet, raw, delay, expect, send, timing].some((flag) => flag !== undefined);
}
