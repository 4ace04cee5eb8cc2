import { TnetError } from '../../errors.ts';
import { startFlow } from '../../flow/start-flow.ts';
import { guarded } from '../../net/guard.ts';
import { closeConnection, cutDeliveryMs, resetConnection, type Connection } from '../../net/connection.ts';
import { chargenCycle, tell, type ServiceName } from '../../protocol/small-services/services.ts';
import type { Handler } from '../../serve/service.ts';
import { startServiceFlow, type ServiceFlow, type Speech } from './service-flow.ts';

/**
 * Echo and the small services on a stream: a client is served until it or we have ended.
 *
 * @param limits `idleMs` ends a client when no byte has moved for this long, `timeoutMs` so long after it came. Default: none
 */
export function createServiceHandler(
  service: ServiceName,
  quotes: readonly Buffer[],
  {
    idleMs,
    timeoutMs,
  }: { readonly idleMs?: number | undefined; readonly timeoutMs?: number | undefined } = {},
): Handler {
  const start = chooseStart(service, quotes);
  return async ({ client, entry }) => {
    const flow = start(client, () => idleTimer?.refresh());
    const after = (limitMs: number | undefined, message: string) => {
      const expire = () => flow.stop('timeout', new TnetError('TNET_E_TIMEOUT', message));
      return limitMs === undefined ? undefined : setTimeout(guarded(expire), limitMs);
    };
    const idleTimer = after(idleMs, `no byte in either direction for ${idleMs ?? 0} ms`);
    const timer = after(timeoutMs, `open for ${timeoutMs ?? 0} ms`);
    entry.moved = () => ({ sentBytes: flow.sentBytes, receivedBytes: flow.receivedBytes });
    entry.breakOff = () => flow.stop('aborted');
    const { reason, error } = await flow.ended;
    clearTimeout(idleTimer);
    clearTimeout(timer);
    const failed = reason === 'aborted';
    const close = () => (failed ? resetConnection(client, cutDeliveryMs) : closeConnection(client, error));
    return { reason, error, failed, close };
  };
}

/** Starts a service on a connection; `onActivity` is called when bytes have moved. */
type StartService = (client: Connection, onActivity?: () => void) => ServiceFlow;

function chooseStart(service: ServiceName, quotes: readonly Buffer[]): StartService {
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
