import test from 'ava';
import { isSetupFailure, sortFailures } from '../../src/net/connect-failure.ts';

const fail = (code: string, more: object = {}) => Object.assign(new Error(code), { code, ...more });
const connect = (code: string, address = '192.0.2.1') =>
  fail(code, { syscall: 'connect', address, port: 80 });

const rows: readonly (readonly [what: string, error: Error, isSetup: boolean])[] = [
  ...['EACCES', 'EPERM', 'EINVAL', 'EADDRNOTAVAIL', 'ENETUNREACH', 'EHOSTUNREACH', 'ECONNREFUSED'].map(
    (code) => [`${code} of a connect to an address`, connect(code), false] as const,
  ),
  [
    'EADDRNOTAVAIL of a -s address',
    fail('EADDRNOTAVAIL', { syscall: 'bind', address: '192.0.2.1', port: 0 }),
    true,
  ],
  ['EADDRINUSE of a -p port', connect('EADDRINUSE'), true],
  ['EACCES of a Unix path', fail('EACCES', { syscall: 'connect', address: '/run/x' }), true],
  ['EACCES of a port to listen on', fail('EACCES', { syscall: 'listen', address: '0.0.0.0', port: 1 }), true],
  ['EINVAL of a link-local address without its link', connect('EINVAL', 'fe80::1'), true],
  ['EINVAL of a link-local address with it', connect('EINVAL', 'fe80::1%eth0'), false],
  ['EMFILE', connect('EMFILE'), true],
  ['several addresses, all of set-up', new AggregateError([connect('EMFILE'), connect('EMFILE')]), true],
  [
    'several addresses, one of which may pass',
    new AggregateError([connect('EMFILE'), connect('EINVAL')]),
    false,
  ],
];

for (const [what, error, isSetup] of rows) {
  test(`${what} ${isSetup ? 'is of the set-up' : 'may pass'}`, (t) => t.is(isSetupFailure(error), isSetup));
}

test('a refusal comes before other failures, and those of the set-up come last', (t) => {
  const errors = ['EMFILE', 'EACCES', 'ECONNREFUSED', 'EHOSTUNREACH'].map((code) => connect(code));
  t.deepEqual(
    sortFailures(errors).map(({ message }) => message),
    ['ECONNREFUSED', 'EACCES', 'EHOSTUNREACH', 'EMFILE'],
  );
});
