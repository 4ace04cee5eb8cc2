// Writes docs/proxy-config.schema.json from the rows of the options; a test says when it is due.
import { writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { createConfigSchema } from './config-schema.ts';

const file = new URL('../docs/proxy-config.schema.json', import.meta.url);
const options = await resolveConfig(file);
writeFileSync(file, await format(JSON.stringify(createConfigSchema()), { ...options, parser: 'json' }));
