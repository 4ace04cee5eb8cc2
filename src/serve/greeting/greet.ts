import type { Socket } from '../../net/index.ts';
import type { Greeting, GreetingLimits, ReadGreeting } from './greeting.ts';

/** Hears all that a client says before its stream, part by part. See ReadGreeting. */
export async function greet(
  client: Socket,
  readers: readonly ReadGreeting[],
  limits: GreetingLimits,
): Promise<Greeting> {
  let greeting: Greeting = {};
  for (const read of readers) greeting = await read(client, greeting, limits);
  return greeting;
}
