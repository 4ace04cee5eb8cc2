/**
 * A pair of a proxy, as a configuration file has it: where it listens, where it connects, and how. Times and sizes may
 * have units, as text: '200ms', '64k'. Written by scripts/write-config-schema.mjs.
 */
export interface PairSettings {
  /** what the pair is called; default: its listen address */
  readonly name?: string;
  /** where to listen: PORT (loopback), HOST:PORT, udp://HOST:PORT, /path, fd:N */
  readonly listen: string;
  /** where to connect: PORT, HOST:PORT, udp://HOST:PORT, /path; of several: HOST:PORT,weight=3,max=10,backup */
  readonly targets?: readonly string[];
  /** speak telnet with clients of a pty:, which gets the size of their window */
  readonly telnetIn?: boolean;
  /** choose among targets; default: round-robin */
  readonly balance?: 'round-robin' | 'least' | 'first' | 'hash';
  /** connect to each target this often, and use those that accept */
  readonly health?: string | number;
  /** ask each target for this path, as /healthz, and use those that answer well */
  readonly healthHttp?: string;
  /** what is a good answer: 200, 2xx, 200,3xx (default: 2xx,3xx) */
  readonly healthStatus?: string;
  /** ask for this host (default: the target's) */
  readonly healthHost?: string;
  /** failures in a row after which a target is down (3) */
  readonly healthFall?: number;
  /** successes in a row after which it is up again (2) */
  readonly healthRise?: number;
  /** leave out a target for this long after it refused clients (10s) */
  readonly eject?: string | number;
  /** give a target that is back its share little by little, over this long */
  readonly slowStart?: string | number;
  /** look up names again this often where DNS gives no TTL (30s) */
  readonly resolve?: string | number;
  /** ask this name server */
  readonly dnsServer?: string;
  /** speak TLS with clients; without --tls-cert with a throw-away certificate */
  readonly tlsIn?: boolean;
  /** speak TLS with targets, their certificates verified */
  readonly tlsOut?: boolean;
  /** the certificate that clients see, in PEM; repeat to choose by the name that they ask for */
  readonly tlsCert?: string | readonly string[];
  /** the key of --tls-cert; default: in the same file */
  readonly tlsKey?: string | readonly string[];
  /** the certificate that targets see, in PEM */
  readonly tlsOutCert?: string;
  /** the key of --tls-out-cert; default: in the same file */
  readonly tlsOutKey?: string;
  /** trust these authorities for targets, in PEM */
  readonly tlsCa?: string;
  /** require client certificates from the authorities in this PEM file */
  readonly tlsClientCa?: string;
  /** admit clients without a certificate, too; one that is shown is still checked */
  readonly tlsClientOptional?: boolean;
  /** refuse clients that do not ask for this name */
  readonly tlsClientServername?: string;
  /** ask targets for this name, and verify it */
  readonly tlsServername?: string;
  /** do not verify the certificates of targets */
  readonly tlsInsecure?: boolean;
  /** the SHA-256 of a target's key or certificate; may be repeated */
  readonly tlsPin?: readonly string[];
  /** an ALPN protocol to offer or accept; may be repeated */
  readonly tlsAlpn?: readonly string[];
  /** the oldest version of TLS to speak (default: 1.2) */
  readonly tlsMin?: '1.0' | '1.1' | '1.2' | '1.3';
  /** the cipher suites, as openssl-ciphers(1) writes them */
  readonly tlsCiphers?: string;
  /** begin each connection to a target with a PROXY header: 1 or 2 */
  readonly sendProxy?: 1 | 2 | '1' | '2';
  /** add to a PROXY header of version 2: alpn, authority, unique-id, netns, or a type such as 0xE0, =VALUE; or crc32c */
  readonly proxyTlv?: readonly string[];
  /** be a SOCKS server, 4, 4a and 5: the client names its target */
  readonly socks?: boolean;
  /** be an HTTP CONNECT proxy: the client names its target */
  readonly httpConnect?: boolean;
  /** be an HTTP proxy: CONNECT, and requests for http:// addresses, as http_proxy wants it */
  readonly http?: boolean;
  /** refuse requests of --http whose body is longer (413) */
  readonly maxBody?: string | number;
  /** ask clients for a user and password of this file, written by htpasswd or htdigest */
  readonly authFile?: string;
  /** how HTTP clients authenticate: basic, digest, or any that the file is good for */
  readonly authScheme?: 'any' | 'basic' | 'digest';
  /** send clients with a TLS name, ALPN or protocol elsewhere: sni:, alpn: or proto:NAME=TARGET; protocols: http, proxy-v1, proxy-v2, http/2, ssh, tls, socks4, socks5, postgres, telnet, redis, http/1 */
  readonly route?: readonly string[];
  /** read a PROXY header, version 1 or 2, from each client */
  readonly acceptProxy?: boolean;
  /** reach targets through a proxy, socks5://[user@]host:port (socks4, socks4a, http, https too), or env: the one in ALL_PROXY or HTTPS_PROXY; repeat for a chain */
  readonly via?: readonly string[];
  /** the password of -x, or one per line for each user; default: $TNET_PROXY_PASSWORD */
  readonly proxyPasswordFile?: string;
  /** trust the authorities in this PEM file only for https:// proxies */
  readonly proxyCa?: string;
  /** offer, or require, one of these sub-protocols, separated by commas */
  readonly wsProtocol?: string;
  /** send this field with the request: 'Name: value', or @FILE with one a line; may be repeated */
  readonly header?: readonly string[];
  /** log in with the user:password of this file */
  readonly wsPasswordFile?: string;
  /** ask clients for a user and password of this htpasswd file */
  readonly wsAuthFile?: string;
  /** let the pages of this origin in, * for all; may be repeated; default: no page of a browser */
  readonly wsOrigin?: readonly string[];
  /** a line is a text message; default: bytes in binary messages */
  readonly wsText?: boolean;
  /** compress messages (permessage-deflate) where the other end agrees */
  readonly wsDeflate?: boolean;
  /** ask the other end for a sign of life this often: one that gives none is gone */
  readonly wsPing?: string | number;
  /** the longest message that is taken (default: 16M) */
  readonly wsMax?: string | number;
  /** serve only these: CIDR, HOST or ./FILE, with commas */
  readonly allow?: readonly string[];
  /** turn these away: CIDR, HOST or ./FILE, with commas */
  readonly deny?: readonly string[];
  /** let clients name only these: CIDR, *.NAME, NAME, * or a class (loopback, link-local, private, multicast, special, global), with or without :PORTS, or ./FILE */
  readonly allowTarget?: readonly string[];
  /** keep clients from these, in the same form */
  readonly denyTarget?: readonly string[];
  /** let other machines reach a program, file or device without --allow */
  readonly insecureExec?: boolean;
  /** serve at most n connections at once; the rest wait */
  readonly maxConnections?: number;
  /** reset the connections beyond -m instead of letting them wait */
  readonly reject?: boolean;
  /** new connections a client address may make: 10/s, 100/m; more are reset */
  readonly rate?: string | number;
  /** limit for DNS and connecting, all addresses together */
  readonly waitConnect?: string | number;
  /** end a connection when no byte has moved for this long */
  readonly idle?: string | number;
  /** end a half-closed connection when no byte has moved for this long */
  readonly halfClosed?: string | number;
  /** end a connection this long after it was made */
  readonly timeout?: string | number;
  /** limit for what a client must send before it is served (10s) */
  readonly handshakeLimit?: string | number;
  /** delay bytes and ends by this long; 100ms±20ms varies it */
  readonly latency?: string | number;
  /** carry at most this many bytes a second per connection and direction */
  readonly bandwidth?: string | number;
  /** cut the stream into small pieces, each sent on its own */
  readonly slice?: boolean;
  /** the size of a piece (64±63); implies --slice */
  readonly sliceSize?: string | number;
  /** pause between two pieces; implies --slice */
  readonly sliceDelay?: string | number;
  /** replace this share of the bytes with others */
  readonly corrupt?: number | string;
  /** lose this share of the datagrams, between two UDP ends */
  readonly loss?: number | string;
  /** close the connection after this many bytes in one direction */
  readonly dropAfter?: string | number;
  /** reset the connection this long after it was made */
  readonly resetAfter?: string | number;
  /** accept all bytes, pass none on */
  readonly blackhole?: boolean;
  /** pass an end on this long after it came */
  readonly slowClose?: string | number;
  /** cause faults in one direction only: up (to the target), down or both */
  readonly direction?: 'up' | 'down' | 'both';
  /** cause faults in this share of the connections only */
  readonly probability?: number | string;
  /** draw the same random numbers as every run with this seed */
  readonly seed?: number;
  /** a recording takes the place of the target, or of the clients where LISTEN is - */
  readonly replay?: string;
  /** replay at the original pace (the default), 10x as fast, or none: at once */
  readonly pace?: string;
  /** replay only connection n of the recording */
  readonly connection?: number;
  /** between UDP and a stream: chunk (default; what is read at once is a datagram) or length (two bytes before each) */
  readonly framing?: 'chunk' | 'length';
  /** the interface, by its name or an address, of a multicast group; for sending of a broadcast too */
  readonly interface?: string;
  /** take only what this address sends to the group; may be repeated */
  readonly multicastSource?: readonly string[];
  /** let datagrams go to a broadcast address; anyone may answer */
  readonly allowBroadcast?: boolean;
  /** permissions of the Unix socket that is LISTEN, as 0600 */
  readonly mode?: string;
  /** owner of the Unix socket that is LISTEN; either may be left out, or be a number */
  readonly owner?: string;
  /** while the address is in use, try again every second */
  readonly retryBind?: boolean;
  /** after each client, accept no other for this long */
  readonly pause?: string | number;
  /** connect to targets from this address */
  readonly source?: string;
  /** send small writes at once (the default) */
  readonly nodelay?: boolean;
  /** probe a quiet connection, as 60s,10s,3 */
  readonly keepalive?: string | number;
  /** type of service: a number, or a name such as lowdelay, ef, af41 */
  readonly tos?: string | number;
  /** the system's receive buffer */
  readonly rcvbuf?: string | number;
  /** the system's send buffer */
  readonly sndbuf?: string | number;
  /** the hop limit of a packet, 1 to 255 */
  readonly ttl?: string | number;
  /** closing waits this long for the peer; 0 makes it a reset */
  readonly linger?: string | number;
}
