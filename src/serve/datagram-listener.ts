import type { AccessList } from '../access/access-list.ts';
import { type Endpoint, formatHostPort } from '../address/endpoint.ts';
import { refuseNumericForm, requireNumericHost } from '../address/host-rules.ts';
import { isIP } from '../address/ip.ts';
import { errorCode } from '../errors.ts';
import { type Connection, formatRemote } from '../net/connection.ts';
import { bindDatagram, type DatagramSocket } from '../net/datagram.ts';
import { maxDatagramBytes, type DatagramPeer, type LostDatagrams } from '../net/datagram-peer.ts';
import { DatagramServer } from '../net/datagram-server.ts';
import { joinOwnGroup } from '../net/groups.ts';
import { lookupFirst } from '../net/lookup.ts';
import { refuse, tooManyNew, type Books } from './ledger.ts';
import { formatBound } from './serve.ts';
import { serveClient } from './serve-client.ts';
import type { BoundListener, ServeHost, Service } from './service.ts';

export type UdpEndpoint = Extract<Endpoint, { kind: 'udp' }>;

/** How many refused senders are remembered, so that each is reported once and not for every datagram. */
const rememberedRefusals = 1024;

/** A bound UDP address with the service for its clients: each sender has a session of its own. */
export class DatagramListener implements BoundListener {
  readonly #host: ServeHost;
  readonly #server: DatagramServer;
  #service: Service;
  readonly #refused = new Set<string>();
  readonly address: string;

  private constructor(server: DatagramServer, service: Service, host: ServeHost) {
    this.#server = server;
    this.#service = service;
    this.#host = host;
    this.address = formatBound(server);
    server.on('error', (error) => host.fail(this.address, error));
    this.#applyLimit();
  }

  /** Binds a service's address. @throws as bindEndpoint() does */
  static async open(service: Service, host: ServeHost): Promise<DatagramListener> {
    const onPeer = (peer: DatagramPeer): void => listener.#accept(peer);
    const { tuneDatagrams, group } = service;
    const socket = await bindEndpoint(service.listen as UdpEndpoint, { ...host, tuneDatagrams, group });
    const server: DatagramServer = new DatagramServer(socket, {
      onlyFirst: service.onlyFirst !== undefined,
      admit: (address) => listener.#judge(address),
      onRefused: ({ address, port }, reason) => listener.#refuse(formatHostPort(address, port), reason),
      onPeer,
    });
    const listener: DatagramListener = new DatagramListener(server, service, host);
    return listener;
  }

  replaceService(service: Service): void {
    this.#service.close();
    this.#service = service;
    this.#refused.clear();
    this.#applyLimit();
  }

  async reloadAccess(): Promise<AccessList | undefined> {
    const { access } = this.#service;
    await access?.reload();
    this.#refused.clear();
    return access;
  }

  /** Sessions go on. The address is free again when the last one is over. */
  close(): void {
    this.#service.close();
    this.#server.close();
  }

  /** Without a limit the longest silent client makes way for a new one; with one, new clients are refused. */
  #applyLimit(): void {
    const { maxConnections } = this.#service;
    this.#server.maxPeers = maxConnections;
  }

  #judge(address: string): string | undefined {
    const { access, rate } = this.#service;
    const denial = access?.judge(address);
    if (denial !== undefined) return denial;
    return rate?.take(address, performance.now()) === false ? tooManyNew : undefined;
  }

  /** Counts every datagram; reports its sender once for each reason. */
  #refuse(remote: string, reason: string): void {
    const key = `${remote} ${reason}`;
    if (this.#refused.has(key)) return this.#host.ledger.refuse(reason);
    if (this.#refused.size >= rememberedRefusals) this.#refused.clear();
    this.#refused.add(key);
    refuse(this.#host, remote, reason);
  }

  #accept(peer: DatagramPeer): void {
    watchDatagrams(peer, formatRemote(peer, this.address), this.#host);
    void serveClient(peer, this.address, this.#service, this.#host);
  }
}

/** Reports what a datagram peer loses or truncates, and who answers for a group; other connections do none of it. */
export function watchDatagrams(peer: Connection, remote: string, { emit }: Pick<Books, 'emit'>): void {
  peer.on('lost', (lost: LostDatagrams) => emit({ event: 'datagrams-lost', remote, ...lost }));
  peer.on('cut', (bytes: number) =>
    emit({ event: 'datagram-cut', remote, bytes, limitBytes: maxDatagramBytes }),
  );
  peer.on('answer', (address: string, port: number, bytes: number) =>
    emit({ event: 'answer', remote: formatHostPort(address, port), bytes }),
  );
}

/** How a UDP socket is bound. */
type BindOptions = Pick<ServeHost, 'family' | 'numericOnly'> & Pick<Service, 'tuneDatagrams' | 'group'>;

/**
 * Binds a UDP socket to an endpoint, and joins it if it is a multicast group.
 *
 * @throws the system's error, TnetError TNET_E_ADDRESS, what joinOwnGroup() or `tuneDatagrams` throws
 */
export async function bindEndpoint(endpoint: UdpEndpoint, options: BindOptions): Promise<DatagramSocket> {
  const socket = await bindPlain(endpoint, options);
  try {
    options.tuneDatagrams?.(socket);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

async function bindPlain(
  endpoint: UdpEndpoint,
  { family, numericOnly, group }: BindOptions,
): Promise<DatagramSocket> {
  refuseNumericForm(endpoint.host ?? '');
  if (numericOnly) requireNumericHost(endpoint);
  const { host, port } = endpoint;
  if (host === undefined && family === undefined && !group) {
    try {
      return await bindDatagram({ type: 'udp6', address: '::', port });
    } catch (error) {
      // As node:net does where IPv6 is off.
      if (!['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL'].includes(errorCode(error) ?? '')) throw error;
      return bindDatagram({ type: 'udp4', address: '0.0.0.0', port });
    }
  }
  const found = await findAddress(host, family);
  const kind = found.family === 4 ? ({ type: 'udp4' } as const) : ({ type: 'udp6', ipv6Only: true } as const);
  const socket = await bindDatagram({ ...kind, address: found.address, port });
  joinOwnGroup(socket, found.address, group);
  return socket;
}

async function findAddress(
  host: string | undefined,
  family: 4 | 6 | undefined,
): Promise<{ address: string; family: number }> {
  if (host === undefined)
    return family === 4 ? { address: '0.0.0.0', family: 4 } : { address: '::', family: 6 };
  const given = isIP(host);
  return given === 0 ? lookupFirst(host, { family }) : { address: host, family: given };
}
