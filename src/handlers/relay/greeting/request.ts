import type { Socket } from '../../../net/index.ts';
import { HeadReader } from '../../../serve/greeting/head-reader.ts';
import { takeConnectClient } from './http-connect.ts';
import type { Intake, IntakeStep } from './intake.ts';
import { takeSocksClient, type SocksIntakeOptions } from './socks.ts';

/** The step that lets clients name their target: by SOCKS, by HTTP CONNECT, or by either, told by the first byte. */
export function createServerStep(
  protocols: { readonly socks: boolean; readonly httpConnect: boolean },
  options: SocksIntakeOptions,
): IntakeStep {
  if (!protocols.httpConnect) return (client, known) => takeSocksClient(client, known, options);
  if (!protocols.socks) return (client, known) => takeConnectClient(client, known, options);
  return async (client: Socket, known: Intake) => {
    const reader = new HeadReader(client, options.handshakeMs, known);
    const chunk = (await reader.nextOfGreeting()) ?? Buffer.alloc(0);
    const next = { ...known, ...reader.finish(chunk) };
    const isSocks = chunk[0] === 4 || chunk[0] === 5;
    return isSocks ? takeSocksClient(client, next, options) : takeConnectClient(client, next, options);
  };
}
