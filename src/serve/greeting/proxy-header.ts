import type { Socket } from '../../net/index.ts';
import { violation } from '../../protocol/protocol-error.ts';
import { ProxyHeaderReceiver } from '../../protocol/proxy-protocol/decode.ts';
import type { Greeting, GreetingLimits } from './greeting.ts';
import { HeadReader } from './head-reader.ts';

/** Reads the PROXY header that a proxy in front of us puts before a connection. See ReadGreeting. */
export async function readProxyHeader(
  client: Socket,
  soFar: Greeting,
  limits: GreetingLimits,
): Promise<Greeting> {
  const reader = new HeadReader(client, { ...limits, what: 'no PROXY header' }, soFar);
  const receiver = new ProxyHeaderReceiver();
  for (;;) {
    const chunk = await reader.nextOfGreeting();
    if (!chunk)
      throw violation(
        'proxy-protocol',
        'cut-short',
        'the client ended the connection in the middle of its PROXY header',
      );
    const received = receiver.receive(chunk);
    if (!received) continue;
    return { ...soFar, ...reader.finish(received.rest), header: received.header };
  }
}
