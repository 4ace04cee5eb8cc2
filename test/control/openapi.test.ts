import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import test from 'ava';
import { routes } from '../../src/control/v1/routes.ts';
import { problems } from '../../src/control/problem.ts';
import { api, file, schemaOf } from '../helpers/openapi.ts';
import { createSteeredWorld } from '../helpers/steering.ts';

test('docs/control.yaml is a document of OpenAPI 3.1', async (t) => {
  const { valid, errors } = await new Validator().validate(file);
  t.true(valid, JSON.stringify(errors, undefined, 2));
});

test('docs/control.yaml has every route with its name, and no other', (t) => {
  const described = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method]) => method !== 'parameters')
      .map(([method, { operationId }]) => `${method.toUpperCase()} ${path} ${operationId}`),
  );
  t.deepEqual(
    described.toSorted(),
    routes.map(({ method, path, name }) => `${method} ${path} ${name}`).toSorted(),
  );
});

test('docs/control.yaml names every error of the control address with its status', (t) => {
  const text = readFileSync(file, 'utf8');
  for (const [code, status] of Object.entries(problems))
    t.regex(text, new RegExp(`${code}\\s\\(${status}\\b`));
});

test('what the routes answer is what docs/control.yaml says', async (t) => {
  const { ask } = createSteeredWorld(t);
  const settings = {
    listen: '127.0.0.1:0',
    targets: ['127.0.0.1:9,weight=3', '127.0.0.1:8,max=2,backup'],
    health: '1h',
  };
  const fault = { kind: 'latency', delayMs: 5, jitterMs: 1 };
  const cases: [name: string, method: string, path: string, body: unknown, status: number][] = [
    ['addPair', 'POST', '/v1/pairs', { name: 'web', settings }, 201],
    ['addPair', 'POST', '/v1/pairs', { name: 'web', settings }, 409],
    ['addPair', 'POST', '/v1/pairs', { name: 'off', settings, isEnabled: false }, 201],
    ['listPairs', 'GET', '/v1/pairs', undefined, 200],
    ['showPair', 'GET', '/v1/pairs/web', undefined, 200],
    ['showPair', 'GET', '/v1/pairs/off', undefined, 200],
    ['showPair', 'GET', '/v1/pairs/none', undefined, 404],
    ['changePair', 'PATCH', '/v1/pairs/web', { settings: { idle: '1h' }, isEnabled: true }, 200],
    ['changePair', 'PATCH', '/v1/pairs/web', { settings: { idle: 'x' } }, 400],
    ['addFault', 'POST', '/v1/pairs/web/faults', { fault, direction: 'up', group: 'g' }, 201],
    [
      'addFault',
      'POST',
      '/v1/pairs/web/faults',
      { fault: { kind: 'reset', afterMs: 1, from: 'start' } },
      201,
    ],
    ['listFaults', 'GET', '/v1/pairs/web/faults', undefined, 200],
    ['showFault', 'GET', '/v1/pairs/web/faults/latency', undefined, 200],
    ['changeFault', 'PATCH', '/v1/pairs/web/faults/latency', { fault: { delayMs: 7 }, toxicity: 0.5 }, 200],
    ['showPair', 'GET', '/v1/pairs/web', undefined, 200],
    ['removeFault', 'DELETE', '/v1/pairs/web/faults/latency', undefined, 200],
    ['removeFaults', 'DELETE', '/v1/pairs/web/faults', undefined, 200],
    ['listTargets', 'GET', '/v1/pairs/web/targets', undefined, 200],
    ['changeTarget', 'PATCH', '/v1/pairs/web/targets/127.0.0.1:9', { isEnabled: false, cut: true }, 200],
    ['listConnections', 'GET', '/v1/connections', undefined, 200],
    ['showConnection', 'GET', '/v1/connections/1', undefined, 404],
    ['resetConnection', 'DELETE', '/v1/connections/1', undefined, 404],
    ['tapConnection', 'GET', '/v1/connections/1/tap', undefined, 404],
    ['recordConnection', 'GET', '/v1/connections/1/recording?durationMs=0', undefined, 400],
    ['showTotals', 'GET', '/v1/totals', undefined, 200],
    ['resetTotals', 'POST', '/v1/totals/reset', undefined, 200],
    ['removePair', 'DELETE', '/v1/pairs/web?cut=true', undefined, 200],
  ];
  for (const [name, method, path, body, status] of cases) {
    const answer = await ask(method, path, body);
    t.is(answer.status, status, `${method} ${path}: ${JSON.stringify(answer.body)}`);
    const isAsSaid = schemaOf(name, status);
    t.true(isAsSaid(JSON.parse(JSON.stringify(answer.body))), `${name}: ${JSON.stringify(isAsSaid.errors)}`);
  }
  const tried = new Set(cases.map(([name]) => name));
  t.deepEqual(
    routes.map(({ name }) => name).filter((name) => !tried.has(name)),
    ['streamEvents'],
  );
});
