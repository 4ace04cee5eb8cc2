import { Problem } from './problem.ts';
import type { ControlAnswer, ControlRequest } from './request.ts';

/** What can be done to a path. */
export interface Route<Rest extends readonly unknown[] = []> {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** `/v1/pairs/{name}`: a part in braces is any, and is handed over under that name. */
  readonly path: string;
  readonly answer: (
    request: ControlRequest & { readonly parts: Readonly<Record<string, string>> },
    ...rest: Rest
  ) => ControlAnswer | Promise<ControlAnswer>;
}

/** One operation of our own interface. docs/control.yaml has it under the same path, method and name. */
export interface ControlRoute<Context> extends Route<[context: Context]> {
  /** The operationId. */
  readonly name: string;
}

/** The routes of a path, one for each of its methods, and what stands in the place of its names. */
export function findRoutes<Found extends Pick<Route, 'path'>>(
  routes: readonly Found[],
  path: readonly string[],
): { readonly route: Found; readonly parts: Readonly<Record<string, string>> }[] {
  return routes.flatMap((route) => {
    const parts = matchPath(route.path, path);
    return parts ? [{ route, parts }] : [];
  });
}

/**
 * Answers a request by the route of its path and method; undefined: no route has the path.
 *
 * @throws Problem when the path has no such method; what the route throws
 */
export async function answerByRoute<Context>(
  routes: readonly ControlRoute<Context>[],
  request: ControlRequest,
  context: Context,
): Promise<ControlAnswer | undefined> {
  const found = findRoutes(routes, request.path);
  if (found.length === 0) return undefined;
  const wanted = request.method === 'HEAD' ? 'GET' : request.method;
  const match = found.find(({ route }) => route.method === wanted);
  if (match) return match.route.answer({ ...request, parts: match.parts }, context);
  const allow = found.map(({ route }) => route.method).join(', ');
  throw new Problem('METHOD_NOT_ALLOWED', `this path has ${allow}`, {
    subject: request.method,
    headers: { allow },
  });
}

function matchPath(pattern: string, path: readonly string[]): Record<string, string> | undefined {
  const words = pattern.split('/').slice(1);
  if (words.length !== path.length) return undefined;
  const parts: [string, string][] = [];
  for (const [index, word] of words.entries()) {
    const part = path[index] ?? '';
    if (word.startsWith('{')) parts.push([word.slice(1, -1), part]);
    else if (word !== part) return undefined;
  }
  return Object.fromEntries(parts);
}
