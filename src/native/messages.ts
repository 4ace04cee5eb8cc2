/** What `openSocket` opens. Source: native/addon_messages.c. */
export const socketKinds = { datagram: 0, packet: 1, vsock: 2, stream: 3 } as const;

/** The user, the group and the process at the other end. Source: unix(7), SCM_CREDENTIALS and SO_PEERCRED. */
export interface Credentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** A message with the name of its sender, which is undefined for one without a name, and who that was. */
export type ReceivedMessage = readonly [
  bytes: Buffer,
  name: Buffer | undefined,
  pid: number,
  uid: number,
  gid: number,
];

/** A descriptor under watch; opaque. */
export type Watch = object & { readonly watch: never };

/**
 * The addon's functions for sockets that Node cannot open: Unix datagrams and packets, VSOCK. A name is a path or an
 * abstract name with its leading NUL; an empty one lets the system choose. Errors as of all functions of the addon.
 */
export interface MessageCalls {
  /** A new descriptor, close-on-exec and non-blocking; the caller closes it. */
  openSocket(kind: number): number;
  bindUnix(fd: number, name: Uint8Array): void;
  connectUnix(fd: number, name: Uint8Array): void;
  bindVsock(fd: number, cid: number, port: number): void;
  /** 0 when it has only begun: then the descriptor becomes writable. */
  connectVsock(fd: number, cid: number, port: number): number;
  vsockLocal(fd: number): readonly [cid: number, port: number];
  vsockRemote(fd: number): readonly [cid: number, port: number];
  /** Throws what a connect in progress has failed with. */
  takeError(fd: number): void;
  /** Half-closes a socket of any kind. */
  endSending(fd: number): void;
  /** From now on each message comes with its sender's credentials. */
  tellsSenders(fd: number): void;
  /** 1 when the peer has closed its socket, and not only ended its side. */
  isGone(fd: number): number;
  /** 0 when there is no room for the message now. */
  sendMessage(fd: number, bytes: Uint8Array, name: Uint8Array | undefined): number;
  /** The next message, whole; undefined when there is none yet, null at the end. */
  receiveMessage(fd: number): ReceivedMessage | undefined | null;
  peerCredentials(fd: number): readonly [pid: number, uid: number, gid: number];
  /**
   * Watches a descriptor in Node's event loop. `listener` gets 1 when it is readable, 2 when it is writable, 3 for
   * both; 0 after an error, and then it is not watched any more.
   */
  watch(fd: number, listener: (events: number) => void): Watch;
  setWatch(watch: Watch, events: number): void;
  /** Before the descriptor is closed. */
  closeWatch(watch: Watch): void;
}
