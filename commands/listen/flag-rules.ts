import type { FlagRules } from '../options/flag-rules.ts';

/** What goes together in `tnet listen`. */
export const listenFlagRules: FlagRules = {
  excludes: [
    { mode: 'keepOpen', flags: ['raw', 'delay', 'expect', 'send'], reason: 'it is for one client' },
    { mode: 'recvOnly', flags: ['quit', 'keepSending'], reason: 'standard input is not read' },
    { mode: 'udp', flags: ['pause', 'keepSending'], reason: 'UDP has no connections' },
    { mode: 'unix', flags: ['source'], reason: 'a Unix socket has no IP address' },
  ],
  needs: [
    { flag: 'reject', anyOf: ['maxConnections'], called: '-m' },
    { flag: 'label', anyOf: ['keepOpen'], called: '-k' },
    { flag: 'outputDir', anyOf: ['keepOpen'], called: '-k' },
    { flag: 'maxConnections', anyOf: ['keepOpen'], called: '-k' },
    { flag: 'pause', anyOf: ['keepOpen'], called: '-k' },
    { flag: 'stepTimeout', anyOf: ['expect'], called: '--expect' },
    { flag: 'escape', anyOf: ['raw'], called: '--raw' },
    { flag: 'format', anyOf: ['output'], called: '-o' },
    { flag: 'append', anyOf: ['output'], called: '-o' },
    { flag: 'insecureExec', anyOf: ['exec', 'shExec'], called: '-e or -c' },
  ],
};
