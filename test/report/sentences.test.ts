import test from 'ava';
import { describeError } from '../../src/report/sentences.ts';

function failure(code: string, address: string, port = 80): Error {
  const errno = { ECONNREFUSED: -111, ENETUNREACH: -101 }[code];
  return Object.assign(new Error(`connect ${code} ${address}:${port}`), { code, errno, address, port });
}

test('several addresses that failed alike are named behind one sentence', (t) => {
  const errors = [failure('ECONNREFUSED', '127.0.0.1'), failure('ECONNREFUSED', '::1')];
  const error = Object.assign(new AggregateError(errors, 'all'), { code: 'ECONNREFUSED' });
  t.is(describeError(error), 'connection refused: 127.0.0.1:80, [::1]:80');
});

test('addresses that failed differently have a sentence each', (t) => {
  const errors = [failure('ECONNREFUSED', '127.0.0.1'), failure('ENETUNREACH', '2001:db8::1')];
  const error = Object.assign(new AggregateError(errors, 'all'), { code: 'ECONNREFUSED' });
  t.is(describeError(error), 'connection refused: 127.0.0.1:80; network is unreachable: [2001:db8::1]:80');
});
