import type { Command } from 'commander';
import type { Connection } from '../src/endpoint/connection.ts';
import { finishFlows } from '../src/flow/finish.ts';
import { startFlow } from '../src/flow/start-flow.ts';
import { addAccessOptions, openAccess, type AccessFlags } from './access-options.ts';
import { addBindOptions, bindServers, type BindFlags } from './bind-options.ts';
import { createContext, subjectOf, type ReportOptions } from './context.ts';
import { addOptions, addReportOptions } from './options.ts';
import { readServerAddresses, type ServerAddressOptions } from './server-address.ts';
import { ServerRun } from './server-run.ts';

interface EchoOptions extends ReportOptions, ServerAddressOptions, BindFlags, AccessFlags {
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  readonly maxConnections?: number;
}

/** `tnet echo [options] [ADDRESS]`: an echo server. Source: RFC 862. */
export function defineEcho(command: Command): void {
  command.argument('[address...]', 'PORT, HOST:PORT, HOST PORT or /path');
  command.optionsGroup('Address:');
  addOptions(command, 'port', 'unix', 'ipv4', 'ipv6', 'numeric');
  addBindOptions(command);
  command.optionsGroup('Clients:');
  addOptions(command, 'maxConnections');
  addAccessOptions(command);
  addReportOptions(command).action(runEcho);
}

async function runEcho(words: string[], options: EchoOptions, command: Command): Promise<void> {
  const context = createContext(command, options);
  const endpoints = readServerAddresses(words, options);
  const run = new ServerRun(context);
  try {
    const access = await openAccess(context, options, endpoints, run.interruption.signal);
    await bindServers(context, run, endpoints, options, {
      ...access,
      maxConnections: options.maxConnections,
      onConnection: (client) => void echo(client),
    });
  } catch (error) {
    context.fail(subjectOf(error, words.join(' ')), error);
  }

  async function echo(socket: Connection): Promise<void> {
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
