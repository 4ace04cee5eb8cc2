import {
  formatEndpoint,
  formatHostPort,
  formatTargetEndpoint,
  type Endpoint,
} from '../../src/address/endpoint.ts';
import { nameService } from '../../src/address/service-names.ts';
import { nameTarget } from '../../src/address/targets.ts';
import type { Event } from '../../src/report/events.ts';
import type { Goals } from './goals.ts';

export type Checked = Extract<Event, { readonly event: 'checked' }>;

/** How a checked address is named: as it was written, where that is not an address. */
export function nameCheck(
  endpoint: Endpoint,
  { names }: Goals,
): Pick<Checked, 'address' | 'host' | 'port' | 'service' | 'transport'> {
  const written = names.get(endpoint);
  if (written !== undefined) return { address: written, host: written };
  const { host, port } = nameTarget(endpoint);
  if (port === undefined) return { address: formatEndpoint(endpoint), host };
  const isDatagram = endpoint.kind === 'udp';
  const service = nameService(port, isDatagram ? 'udp' : 'tcp');
  return {
    address: isDatagram ? formatTargetEndpoint(endpoint) : formatHostPort(host, port),
    host,
    port,
    ...(service !== undefined && { service }),
    ...(isDatagram && { transport: 'udp' as const }),
  };
}
