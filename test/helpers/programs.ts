import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import test from 'ava';

/** The full path of a program, or undefined when this machine lacks it. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** `test.serial` if all programs are there; else a skip, with the reason printed. */
export function testWith(...programs: readonly string[]): typeof test.serial | typeof test.serial.skip {
  const missing = programs.filter((name) => findProgram(name) === undefined);
  if (missing.length === 0) return test.serial;
  console.log(`skipped: ${missing.join(', ')} is not installed`);
  return test.serial.skip;
}
