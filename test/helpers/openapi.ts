import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, object>>;
}
interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: object;
}

/** docs/control.yaml. */
export const file = fileURLToPath(new URL('../../docs/control.yaml', import.meta.url));
export const api = parse(readFileSync(file, 'utf8')) as OpenApi;

/** The validator's own, which knows the schemas of OpenAPI 3.1: JSON Schema 2020-12. */
const { default: Ajv } = createRequire(import.meta.resolve('@seriousme/openapi-schema-validator'))(
  'ajv/dist/2020.js',
) as { default: new (options: object) => Ajv };
interface Ajv {
  addSchema(schema: object, key: string): void;
  compile(schema: object): ((value: unknown) => boolean) & { errors?: unknown };
}
const ajv = new Ajv({ strict: false });
ajv.addSchema(api, 'api');

/** A function that checks what an operation answers. */
export function schemaOf(name: string, status: number) {
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, { operationId, responses }] of Object.entries(methods)) {
      if (operationId !== name) continue;
      const key = String(status) in responses ? String(status) : 'default';
      const place = [path, method, 'responses', key].map((part) =>
        part.replaceAll('~', '~0').replaceAll('/', '~1'),
      );
      const response = responses[key] as { readonly $ref?: string };
      const at = response.$ref ?? `#/paths/${place.map(encodeURIComponent).join('/')}`;
      return ajv.compile({ $ref: `api${at}/content/application~1json/schema` });
    }
  }
  throw new Error(`no operation ${name}`);
}
