// Writes docs/proxy-config.schema.json, and the type of its pairs, from the rows of the options; a test says when it is due.
import { writeFileSync } from 'node:fs';
import { format, resolveConfig } from 'prettier';
import { createConfigSchema, createSettingsType } from './config-schema.ts';

const file = new URL('../docs/proxy-config.schema.json', import.meta.url);
const options = await resolveConfig(file);
writeFileSync(file, await format(JSON.stringify(createConfigSchema()), { ...options, parser: 'json' }));

const types = new URL('../commands/proxy/pair-settings.ts', import.meta.url);
writeFileSync(
  types,
  await format(createSettingsType(), { ...(await resolveConfig(types)), parser: 'typescript' }),
);
