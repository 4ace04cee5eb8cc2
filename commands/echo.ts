import type { Command } from 'commander';
import { serve } from '../src/endpoint/serve.ts';
import { finishFlows } from '../src/flow/finish.ts';
import { startFlow } from '../src/flow/start-flow.ts';
import type { Socket } from '../src/net/index.ts';
import { createContext, subjectOf, type ReportOptions } from './context.ts';
import { addOptions, addReportOptions } from './options.ts';
import { readFamily, readServerAddress, type ServerAddressOptions } from './server-address.ts';
import { ServerRun } from './server-run.ts';

interface EchoOptions extends ReportOptions, ServerAddressOptions {
  readonly maxConnections?: number;
}

/** `tnet echo [options] [ADDRESS]`: an echo server. Source: RFC 862. */
export function defineEcho(command: Command): void {
  command.argument('[address...]', 'PORT, HOST:PORT, HOST PORT or /path');
  addOptions(command, 'port', 'unix', 'ipv4', 'ipv6', 'maxConnections');
  addReportOptions(command).action(runEcho);
}

async function runEcho(words: string[], options: EchoOptions, command: Command): Promise<void> {
  const context = createContext(command, options);
  const endpoint = readServerAddress(words, options);
  const run = new ServerRun(context);
  try {
    const server = await serve(endpoint, {
      family: readFamily(options),
      maxConnections: options.maxConnections,
      onConnection: (socket) => void echo(socket),
    });
    run.started(server);
  } catch (error) {
    context.fail(subjectOf(error, words.join(' ') || (options.unix ?? options.port ?? '')), error);
  }

  async function echo(socket: Socket): Promise<void> {
    const connection = run.accepted(socket);
    const flow = startFlow({ source: socket, sink: socket });
    const interrupt = () => finishFlows(flow);
    run.interruption.signal.addEventListener('abort', interrupt);
    const ending = await flow.ended;
    run.interruption.signal.removeEventListener('abort', interrupt);
    connection.ended(ending, { sentBytes: ending.bytes, receivedBytes: flow.bytesRead });
    socket.destroy();
  }
}
