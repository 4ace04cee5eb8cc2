import plain from 'node:net';
import { connect, createServer } from './connect.ts';
import { connectTcp } from './happy-eyeballs.ts';
import { isIP, isIPv4, isIPv6 } from '../address/ip.ts';
import * as promises from './promises.ts';
import { Server } from './server.ts';
import { Socket } from './socket.ts';
import { unsentBytes, waitAcknowledged } from './tuning.ts';

export { connect, connect as createConnection, createServer, type ConnectOptions } from './connect.ts';
export type { Attempt, Candidate } from './candidates.ts';
export { connectTcp, type RaceOptions } from './happy-eyeballs.ts';
export { isIP, isIPv4, isIPv6 } from '../address/ip.ts';
export type { ListenOptions, ServerOptions } from './server-state.ts';
export { Server, type ConnectionListener } from './server.ts';
export type { SecureUpgradeOptions } from './tls-layer.ts';
export type { SocketOptions } from './socket-type.ts';
export type { SocketType } from './socket-type.ts';
export { Socket, Socket as Stream } from './socket.ts';
export {
  unsentBytes,
  waitAcknowledged,
  type Acknowledgement,
  type AcknowledgementOptions,
} from './tuning.ts';
export * as promises from './promises.ts';
export {
  BlockList,
  BoundSocket,
  SocketAddress,
  getDefaultAutoSelectFamily,
  getDefaultAutoSelectFamilyAttemptTimeout,
  setDefaultAutoSelectFamily,
  setDefaultAutoSelectFamilyAttemptTimeout,
  type AddressInfo,
  type BoundSocketOptions,
  type DropArgument,
  type IPVersion,
  type IpcNetConnectOpts,
  type IpcSocketConnectOpts,
  type LookupFunction,
  type NetConnectOpts,
  type OnReadOpts,
  type ServerOpts,
  type SetKeepAliveOptions,
  type SocketAddressInitOptions,
  type SocketConnectOpts,
  type SocketConstructorOpts,
  type SocketReadyState,
  type TcpNetConnectOpts,
  type TcpSocketConnectOpts,
} from 'node:net';

/** What replaces node:net's own, and what is added to it. */
interface Own {
  readonly connect: typeof connect;
  readonly createConnection: typeof connect;
  readonly createServer: typeof createServer;
  readonly isIP: typeof isIP;
  readonly isIPv4: typeof isIPv4;
  readonly isIPv6: typeof isIPv6;
  readonly Server: typeof Server;
  readonly Socket: typeof Socket;
  readonly Stream: typeof Socket;
  readonly connectTcp: typeof connectTcp;
  readonly promises: typeof promises;
  readonly unsentBytes: typeof unsentBytes;
  readonly waitAcknowledged: typeof waitAcknowledged;
}

const own: Own = {
  connect,
  createConnection: connect,
  createServer,
  isIP,
  isIPv4,
  isIPv6,
  Server,
  Socket,
  Stream: Socket,
  connectTcp,
  promises,
  unsentBytes,
  waitAcknowledged,
};

type NetModule = Omit<typeof plain, keyof Own> & Own;

/**
 * The module as one object, which stands in for require('node:net'): everything that node:net exports, in its order
 * and as enumerable as there, with tnet's own replacements in their places, and the additions after that.
 */
const net = Object.defineProperties(
  {},
  { ...Object.getOwnPropertyDescriptors(plain), ...Object.getOwnPropertyDescriptors(own) },
) as NetModule;

// eslint-disable-next-line @typescript-eslint/no-namespace -- so that `net.Socket` names a type, as with node:net.
declare namespace net {
  type AddressInfo = plain.AddressInfo;
  type BlockList = plain.BlockList;
  type BoundSocket = plain.BoundSocket;
  type BoundSocketOptions = plain.BoundSocketOptions;
  type DropArgument = plain.DropArgument;
  type IPVersion = plain.IPVersion;
  type IpcNetConnectOpts = plain.IpcNetConnectOpts;
  type IpcSocketConnectOpts = plain.IpcSocketConnectOpts;
  type LookupFunction = plain.LookupFunction;
  type NetConnectOpts = plain.NetConnectOpts;
  type OnReadOpts = plain.OnReadOpts;
  type ServerOpts = plain.ServerOpts;
  type SetKeepAliveOptions = plain.SetKeepAliveOptions;
  type SocketAddressInitOptions = plain.SocketAddressInitOptions;
  type SocketConnectOpts = plain.SocketConnectOpts;
  type SocketConstructorOpts = plain.SocketConstructorOpts;
  type SocketReadyState = plain.SocketReadyState;
  type TcpNetConnectOpts = plain.TcpNetConnectOpts;
  type TcpSocketConnectOpts = plain.TcpSocketConnectOpts;
  type SocketAddress = plain.SocketAddress;
  type Server = import('./server.ts').Server;
  type ServerOptions = import('./server-state.ts').ServerOptions;
  type ListenOptions = import('./server-state.ts').ListenOptions;
  type Socket = import('./socket.ts').Socket;
  type SocketOptions = import('./socket-type.ts').SocketOptions;
  type ConnectOptions = import('./connect.ts').ConnectOptions;
  type ConnectionListener = import('./server.ts').ConnectionListener;
  type RaceOptions = import('./happy-eyeballs.ts').RaceOptions;
  type Candidate = import('./candidates.ts').Candidate;
  type Attempt = import('./candidates.ts').Attempt;
  type SecureUpgradeOptions = import('./tls-layer.ts').SecureUpgradeOptions;
  type SocketType = import('./socket-type.ts').SocketType;
  type Acknowledgement = import('./tuning.ts').Acknowledgement;
  type AcknowledgementOptions = import('./tuning.ts').AcknowledgementOptions;
}

export default net;
