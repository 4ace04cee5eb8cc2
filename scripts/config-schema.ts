import type { JsonSchema } from '../commands/options/value-kinds.ts';
import { pairRows } from '../commands/proxy/options.ts';

/** The JSON Schema of a configuration file. docs/proxy-config.schema.json is this, and a test holds them together. */
export function createConfigSchema(): JsonSchema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'tnet proxy --config FILE',
    type: 'object',
    required: ['pairs'],
    additionalProperties: false,
    properties: {
      $schema: { type: 'string' },
      pairs: { type: 'array', minItems: 1, items: { $ref: '#/definitions/pair' } },
    },
    definitions: {
      pair: {
        type: 'object',
        required: ['listen'],
        additionalProperties: false,
        properties: createPairProperties(),
      },
    },
  };
}

function createPairProperties(): Readonly<Record<string, JsonSchema>> {
  const settings = [...pairRows].map(
    ([key, { value, help, helpIn }]) =>
      [key, { description: helpIn?.proxy ?? help, ...value.schema }] as const,
  );
  return {
    name: { description: 'what the pair is called; default: its listen address', type: 'string' },
    listen: {
      description: 'where to listen: PORT (loopback), HOST:PORT, udp://HOST:PORT, /path, fd:N',
      type: 'string',
    },
    targets: {
      description:
        'where to connect: PORT, HOST:PORT, udp://HOST:PORT, /path; of several: HOST:PORT,weight=3,max=10,backup',
      type: 'array',
      items: { type: 'string' },
    },
    ...Object.fromEntries(settings),
  };
}

/** The settings of a pair as a type, for programs. commands/proxy/pair-settings.ts is this, and a test holds them together. */
export function createSettingsType(): string {
  const members = Object.entries(createPairProperties()).map(([name, { description, ...schema }]) => {
    const comment = `/** ${String(description)} */`;
    return `${comment}\nreadonly ${name}${name === 'listen' ? '' : '?'}: ${typeOf(schema)};`;
  });
  return `/**
 * A pair of a proxy, as a configuration file has it: where it listens, where it connects, and how. Times and sizes may
 * have units, as text: '200ms', '64k'. Written by scripts/write-config-schema.mjs.
 */
export interface PairSettings {
${members.join('\n')}
}
`;
}

/** The type of what a schema of ours accepts. */
function typeOf({ type, enum: values, items, anyOf, oneOf }: JsonSchema): string {
  const alternatives = (anyOf ?? oneOf) as JsonSchema[] | undefined;
  if (alternatives) return [...new Set(alternatives.map(typeOf))].join(' | ');
  if (values) return (values as unknown[]).map((value) => JSON.stringify(value)).join(' | ');
  if (type === 'array') return `readonly (${typeOf(items as JsonSchema)})[]`;
  const names = ([type] as unknown[]).flat().map((name) => (name === 'integer' ? 'number' : String(name)));
  return [...new Set(names)].join(' | ');
}
