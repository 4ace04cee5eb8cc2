import { AcceptGate } from './accept-gate.ts';
import { createExhaustedError, readDescriptorLimit, readNextDescriptor } from './descriptors.ts';
import type { AcceptedHandle, ListeningHandle, PeerName } from './handles.ts';
import { isIP } from '../address/ip.ts';
import { isFull, internals, kState, type StatefulServer } from './server-state.ts';
import { channel } from 'node:diagnostics_channel';
import type { SocketOptions } from './socket-type.ts';
import { SocketClass, type SetKeepAlive } from './socket.ts';

const retryMs = 100;
const defaultReserve = 8;
/** libuv's numbers for EMFILE and ENFILE, on every Unix. */
const outOfDescriptors = new Set([-24, -23]);

/** Makes a server's new listening handle deliver tnet Sockets, through a gate that can be shut. */
export function installAcceptor(server: StatefulServer, handle: ListeningHandle, backlog: number): void {
  const state = server[kState];
  const { descriptorReserve = defaultReserve } = state.options;
  const limit = descriptorReserve > 0 ? readDescriptorLimit() : Infinity;
  const lastFreeFd = limit - descriptorReserve;
  const nodeAccept = handle.onconnection;
  const gate = new AcceptGate(internals(server), backlog, deliver);
  state.gate = gate;
  if (state.pauseTimer) gate.shut('paused');

  const current = internals(server)._handle ?? handle;
  current.onconnection = (error, client) => {
    if (error || !client) {
      nodeAccept?.call(handle, error, client);
      if (outOfDescriptors.has(error)) pauseForDescriptors(server, gate, lastFreeFd);
      return;
    }
    if (gate.isShut) {
      if (!gate.hold(client)) drop(server, client);
    } else deliver(client);
    if (client.fd >= lastFreeFd && !state.retryTimer && internals(server)._handle) {
      pauseForDescriptors(server, gate, lastFreeFd);
      server.emit('exhausted', createExhaustedError(limit, client.fd));
    }
  };

  function deliver(client: AcceptedHandle): void {
    if (isFull(server)) {
      if (state.options.overflow !== 'wait') drop(server, client);
      else {
        gate.shut('full');
        gate.hold(client);
      }
      return;
    }
    if (isBlocked(server, client)) {
      client.close();
      return;
    }
    adoptHandle(server, client);
    if (state.options.overflow === 'wait' && isFull(server) && state.gate === gate) gate.shut('full');
  }
}

/** Stops a server's gate for good, before its handle is closed. */
export function removeAcceptor(server: StatefulServer): void {
  const state = server[kState];
  clearInterval(state.retryTimer);
  state.retryTimer = undefined;
  state.gate?.close();
  state.gate = undefined;
}

/**
 * Stops accepting, if that is possible. It resumes when descriptors are free again, which is checked when a
 * connection closes and every retryMs; until then nothing more is reported.
 */
function pauseForDescriptors(server: StatefulServer, gate: AcceptGate, lastFreeFd: number): void {
  const state = server[kState];
  gate.shutIfParked('descriptors');
  const look = () => {
    if (readNextDescriptor() < lastFreeFd) {
      clearInterval(state.retryTimer);
      state.retryTimer = undefined;
      gate.open('descriptors');
    }
  };
  clearInterval(state.retryTimer);
  state.retryTimer = setInterval(look, retryMs).unref();
  state.lookForDescriptors = look;
}

function drop(server: StatefulServer, client: AcceptedHandle): void {
  if (!client.getpeername || !client.getsockname) server.emit('drop');
  else {
    const local = nameOf(client.getsockname.bind(client));
    const remote = nameOf(client.getpeername.bind(client));
    server.emit('drop', {
      localAddress: local.address,
      localPort: local.port,
      localFamily: local.family,
      remoteAddress: remote.address,
      remotePort: remote.port,
      remoteFamily: remote.family,
    });
  }
  client.close();
}

function nameOf(ask: (out: PeerName) => number): PeerName {
  const name: PeerName = {};
  ask(name);
  return name;
}

function isBlocked(server: StatefulServer, client: AcceptedHandle): boolean {
  const { blockList } = internals(server);
  if (!blockList || !client.getpeername) return false;
  const { address = '' } = nameOf(client.getpeername.bind(client));
  const family = isIP(address);
  return family !== 0 && blockList.check(address, `ipv${family}`);
}

/** Makes an accepted connection a Socket of the server, with the server's options, and announces it. */
function adoptHandle(server: StatefulServer, handle: AcceptedHandle): void {
  const fields = internals(server);
  const { dataBeforeError, readOnDemand, keepAliveInterval, keepAliveCount } = server[kState].options;
  const socket = new SocketClass({
    handle,
    allowHalfOpen: fields.allowHalfOpen,
    pauseOnCreate: fields.pauseOnConnect,
    manualStart: readOnDemand,
    readable: true,
    writable: true,
    readableHighWaterMark: fields.highWaterMark,
    writableHighWaterMark: fields.highWaterMark,
    dataBeforeError,
  } as unknown as SocketOptions);
  if (fields.noDelay) socket.setNoDelay(true);
  if (fields.keepAlive) {
    const idleMs = fields.keepAliveInitialDelay * 1000;
    (socket.setKeepAlive as SetKeepAlive)(true, idleMs, keepAliveInterval, keepAliveCount);
  }
  fields._connections++;
  const owned = socket as unknown as { server: StatefulServer; _server: StatefulServer };
  owned.server = server;
  owned._server = server;
  server.emit('connection', socket);
  if (serverSocketChannel.hasSubscribers) serverSocketChannel.publish({ socket });
}

/** Node's own channel for accepted connections. Source: Node doc, diagnostics_channel, "Net". */
const serverSocketChannel = channel('net.server.socket');
