import type { FlagRules } from '../options/flag-rules.ts';

/** Flags of the server alone. */
const serverFlags = [
  'port',
  'service',
  'quoteFile',
  'maxConnections',
  'reject',
  'mode',
  'retryBind',
  'pause',
  'readyFd',
  'readyFile',
  'allow',
  'deny',
  'live',
  'acceptProxy',
] as const;

/** Flags of the client alone. */
const clientFlags = [
  'count',
  'size',
  'quit',
  'waitConnect',
  'timeout',
  'tlsServername',
  'tlsInsecure',
  'tlsPin',
] as const;

/** What goes together in `tnet echo`. TLS over UDP is refuseOverUdp()'s: it is asked for by many flags. */
export const echoFlagRules: FlagRules = {
  excludes: [
    { mode: 'ping', flags: serverFlags, reason: "it is a server's, and --ping is a client" },
    {
      mode: 'a UDP server',
      flags: ['maxConnections', 'reject', 'idle', 'pause', 'acceptProxy'],
      reason: 'UDP has no connections',
    },
  ],
  needs: [
    ...clientFlags.map((flag) => ({ flag, anyOf: ['ping'], called: '--ping' })),
    { flag: 'reject', anyOf: ['maxConnections'], called: '-m' },
    { flag: 'quoteFile', anyOf: ['service qotd'], called: '--service qotd' },
    { flag: 'rate', anyOf: ['ping', 'a UDP server'], called: '-u or --ping' },
  ],
};
