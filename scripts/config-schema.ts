import type { JsonSchema } from '../commands/options/value-kinds.ts';
import { pairRows } from '../commands/proxy/options.ts';

/** The JSON Schema of a configuration file. docs/proxy-config.schema.json is this, and a test holds them together. */
export function createConfigSchema(): JsonSchema {
  const settings = [...pairRows].map(
    ([key, { value, help, helpIn }]) =>
      [key, { description: helpIn?.proxy ?? help, ...value.schema }] as const,
  );
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
        properties: {
          listen: {
            description: 'where to listen: PORT (loopback), HOST:PORT, udp://HOST:PORT, /path, fd:N',
            type: 'string',
          },
          targets: {
            description: 'where to connect: PORT, HOST:PORT, udp://HOST:PORT, /path',
            type: 'array',
            items: { type: 'string' },
          },
          ...Object.fromEntries(settings),
        },
      },
    },
  };
}
