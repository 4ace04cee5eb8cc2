import { readFileSync, readlinkSync } from 'node:fs';
import { devNull } from 'node:os';
import { basename } from 'node:path';
import { shell } from '../../address/command-words.ts';
import { readDescriptorFlags } from '../../net/descriptor-tables.ts';

/** SIGHUP in the masks of proc_pid_status(5). */
const hangupBit = 1n;

let isIgnored: boolean | undefined;

/**
 * Whether this process was started with SIGHUP ignored, as nohup(1) starts one.
 *
 * Node gives every signal its default action back before any JavaScript runs, so the system no longer knows. What
 * is left on Linux as evidence: the parent ignores SIGHUP itself, as a shell does after `trap '' HUP` or under
 * nohup; the shell has put nohup into `_`, where bash, zsh and ksh name the program that they start; or stdin is a
 * null device that can only be written to, with which nohup replaces a terminal. Elsewhere false.
 */
export function isHangupIgnored(): boolean {
  isIgnored ??= process.platform === 'linux' && (parentIgnores() || isNamedNohup() || hasStdinOfNohup());
  return isIgnored;
}

function parentIgnores(): boolean {
  const [, mask = '0'] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(read(`/proc/${process.ppid}/status`)) ?? [];
  return (BigInt(`0x${mask}`) & hangupBit) !== 0n;
}

/** A `_` that the parent has too is an older one, which the parent has only passed on. */
function isNamedNohup(): boolean {
  const { _: program = '' } = process.env;
  if (basename(program) !== 'nohup') return false;
  return !read(`/proc/${process.ppid}/environ`).split('\0').includes(`_=${program}`);
}

function hasStdinOfNohup(): boolean {
  return readDescriptorFlags(0)?.isWriteOnly === true && isNullDevice();
}

function isNullDevice(): boolean {
  try {
    return readlinkSync('/proc/self/fd/0') === devNull;
  } catch {
    return false;
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

/**
 * The words that start a program so that it ignores the signals that this process was started to ignore: libuv
 * gives a child's signals their default actions, and only a program in between, here sh(1), can change them.
 */
export function inheritIgnored(words: readonly string[]): readonly string[] {
  if (!isHangupIgnored()) return words;
  return [...shell, `trap '' HUP; exec "$@"`, 'sh', ...words];
}
