// Writes the list of messages in docs/errors.md from the sources; a test says when it is due.
import { readFileSync, writeFileSync } from 'node:fs';
import { listMessages, writeMessages } from './messages.ts';

const file = new URL('../docs/errors.md', import.meta.url);
writeFileSync(file, writeMessages(readFileSync(file, 'utf8'), listMessages()));
