import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type PageFile = 'index.html' | 'page.css' | 'page.js';

/** The text of a file of the page. The build replaces this module by one that has the files: scripts/embed-page.mjs. */
export function readPageFile(name: PageFile): string {
  return readFileSync(join(import.meta.dirname, name), 'utf8');
}
