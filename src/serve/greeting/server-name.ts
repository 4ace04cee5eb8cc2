import type { Socket } from '../../net/index.ts';
import { HELLO_LIMIT_BYTES, peekClientHello } from '../../protocol/client-hello.ts';
import { refusal } from '../../protocol/protocol-error.ts';
import type { Greeting, GreetingLimits } from './greeting.ts';
import { HeadReader } from './head-reader.ts';

/** The alert unrecognized_name, fatal, in the clear. Source: RFC 8446, sections 5.1 and 6; RFC 6066, section 3. */
const unrecognizedName = Buffer.from([21, 3, 3, 0, 2, 2, 112]);

/**
 * Looks at a client's TLS ClientHello, which stays in the stream, and refuses one that does not ask for the name.
 *
 * @throws ProtocolError with the alert as its reply; what HeadReader throws
 */
export async function requireServerName(
  client: Socket,
  name: string,
  soFar: Greeting,
  limits: GreetingLimits,
): Promise<Greeting> {
  const reader = new HeadReader(client, { ...limits, what: 'no TLS handshake' }, soFar);
  let bytes = Buffer.alloc(0);
  for (;;) {
    const peeked = peekClientHello(bytes);
    // It is up to TLS to refuse what is none.
    if (peeked.type === 'not-tls' || bytes.length > HELLO_LIMIT_BYTES) break;
    if (peeked.type === 'hello') {
      refuseOther(peeked.hello.serverName, name);
      break;
    }
    const chunk = await reader.nextOfGreeting();
    if (!chunk) break;
    bytes = Buffer.concat([bytes, chunk]);
  }
  return { ...soFar, ...reader.finish(bytes) };
}

function refuseOther(asked: string | undefined, name: string): void {
  if (asked?.toLowerCase() === name.toLowerCase()) return;
  const message = `the client asks for ${asked === undefined ? 'no name' : `the name ${asked}`} in TLS, and not for ${name}`;
  throw refusal('tls', 'unrecognized-name', message, { reply: unrecognizedName });
}
