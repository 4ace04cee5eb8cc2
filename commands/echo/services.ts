import { readFileSync } from 'node:fs';
import type { Connection } from '../../src/net/connection.ts';
import { errorCode, TnetError } from '../../src/errors.ts';
import { startServiceFlow, type ServiceFlow, type Speech } from '../../src/handlers/services/service-flow.ts';
import { startFlow } from '../../src/flow/start-flow.ts';
import {
  builtInQuotes,
  chargenCycle,
  readQuotes,
  tell,
  type ServiceName,
} from '../../src/protocol/small-services/services.ts';

/** Starts a service on a connection; `onActivity` is called when bytes have moved. */
export type StartService = (client: Connection, onActivity?: () => void) => ServiceFlow;

/** How a service is started on each connection. */
export function createService(service: ServiceName, quotes: readonly Buffer[]): StartService {
  if (service === 'echo') return startEcho;
  return (client, onActivity) => startServiceFlow(client, speak(service, quotes), onActivity);
}

function speak(service: Exclude<ServiceName, 'echo'>, quotes: readonly Buffer[]): Speech {
  if (service === 'discard') return { kind: 'silence' };
  if (service === 'chargen') return { kind: 'forever', bytes: chargenCycle };
  return { kind: 'once', bytes: tell(service, new Date(), quotes) };
}

/** One flow from the client to itself. Source: RFC 862. */
function startEcho(client: Connection, onActivity?: () => void): ServiceFlow {
  const flow = startFlow({ source: client, sink: client, onActivity });
  return {
    get sentBytes() {
      return flow.bytes;
    },
    get receivedBytes() {
      return flow.bytesRead;
    },
    ended: flow.ended,
    stop: (reason, error) => flow.stop(reason, error),
  };
}

/**
 * The quotes of qotd: those of the file, or the built-in ones.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function loadQuotes(file: string | undefined): readonly Buffer[] {
  if (file === undefined) return builtInQuotes;
  try {
    return readQuotes(readFileSync(file, 'utf8'));
  } catch (error) {
    const code = errorCode(error);
    const message = code === undefined ? (error as Error).message : `it cannot be read (${code})`;
    throw new TnetError('TNET_E_USAGE', message, { subject: file, cause: error });
  }
}
