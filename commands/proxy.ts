import type { Command } from 'commander';
import { dial } from '../src/endpoint/dial.ts';
import { formatEndpoint, type Endpoint } from '../src/endpoint/endpoint.ts';
import { parseEndpoint } from '../src/endpoint/parse.ts';
import { serve } from '../src/endpoint/serve.ts';
import { errorCode } from '../src/errors.ts';
import { finishFlows } from '../src/flow/finish.ts';
import { startRelay } from '../src/flow/relay.ts';
import type { Socket } from '../src/net/index.ts';
import { resetSocket } from '../src/net/reset.ts';
import { describeError } from '../src/report/sentences.ts';
import { createContext, subjectOf, type ReportOptions } from './context.ts';
import { addOptions, addReportOptions } from './options.ts';
import { readFamily } from './server-address.ts';
import { ServerRun, type ConnectionReport } from './server-run.ts';

interface ProxyOptions extends ReportOptions {
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly numeric?: boolean;
  readonly maxConnections?: number;
  readonly waitConnect: number;
}

/** `tnet proxy [options] LISTEN TARGET`: a relay that changes nothing, not even how a connection ends. */
export function defineProxy(command: Command): void {
  command
    .argument('<listen>', 'where to listen: PORT (loopback), HOST:PORT, /path')
    .argument('<target>', 'where to connect: PORT, HOST:PORT, /path');
  addOptions(command, 'ipv4', 'ipv6', 'numeric', 'connectLimit', 'maxConnections');
  addReportOptions(command).action(runProxy);
}

async function runProxy(
  listen: string,
  targetText: string,
  options: ProxyOptions,
  command: Command,
): Promise<void> {
  const context = createContext(command, options);
  const { reporter } = context;
  const endpoint = bindLoopback(parseEndpoint(listen), options);
  const target = parseEndpoint(targetText);
  const run = new ServerRun(context);
  const { signal } = run.interruption;
  try {
    const server = await serve(endpoint, {
      family: readFamily(options),
      numericOnly: options.numeric,
      maxConnections: options.maxConnections,
      onRefused: (remote, reason) => reporter.emit({ event: 'refused', remote, reason }),
      onConnection: (client) => void serveClient(client),
    });
    run.started(server);
  } catch (error) {
    context.fail(subjectOf(error, formatEndpoint(endpoint)), error);
  }

  async function serveClient(client: Socket): Promise<void> {
    const connection = run.accepted(client);
    const upstream = await dialTarget(client, connection);
    if (!upstream) return;
    const relay = startRelay({ client, target: upstream });
    const interrupt = () => finishFlows(relay.up, relay.down);
    signal.addEventListener('abort', interrupt);
    const { up, down, broken, error } = await relay.ended;
    signal.removeEventListener('abort', interrupt);
    const reason = error ? 'reset' : up.reason === 'eof' ? down.reason : up.reason;
    connection.ended({ reason, error }, { sentBytes: down.bytes, receivedBytes: up.bytes });
    await Promise.all([closeSide(client, broken === 'target'), closeSide(upstream, broken === 'client')]);
  }

  /** The target's connection; without one the client is reset, as if it had called the target itself. */
  async function dialTarget(client: Socket, connection: ConnectionReport): Promise<Socket | undefined> {
    // A client that leaves while the target is dialled must not be an uncaught error.
    client.on('error', () => undefined);
    try {
      return await dial(target, {
        family: readFamily(options),
        numericOnly: options.numeric,
        timeoutMs: options.waitConnect,
        signal,
        onAttempt: (address) => reporter.emit({ event: 'attempt', address }),
        onAttemptFailed(address, error) {
          const code = errorCode(error) ?? 'ERROR';
          reporter.emit({ event: 'attempt-failed', address, code, message: describeError(error) });
        },
      });
    } catch (error) {
      if (!signal.aborted) reporter.fail(formatEndpoint(target), error, connection.id);
      connection.ended({ reason: 'aborted' }, { sentBytes: 0, receivedBytes: 0 });
      await closeSide(client, true);
      return undefined;
    }
  }
}

async function closeSide(socket: Socket, withReset: boolean): Promise<void> {
  if (withReset) await resetSocket(socket);
  else socket.destroy();
}

/** A relay is for this machine unless a host is named: exposing the target takes a word. */
function bindLoopback(endpoint: Endpoint, options: ProxyOptions): Endpoint {
  if (endpoint.kind !== 'tcp' || endpoint.host !== undefined) return endpoint;
  return { ...endpoint, host: options.ipv6 ? '::1' : '127.0.0.1' };
}
