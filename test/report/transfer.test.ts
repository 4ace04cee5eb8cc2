import test from 'ava';
import { formatAmount, renderProgress, renderSummary, TransferRates } from '../../src/report/transfer.ts';

const amounts: readonly (readonly [bytes: number, text: string])[] = [
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1.00 kB'],
  [9_996, '10.0 kB'],
  [99_960, '100 kB'],
  [999_499, '999 kB'],
  [999_500, '1.00 MB'],
  [300_000_000, '300 MB'],
  [1.5e18, '1500 PB'],
];

test('an amount has three digits and a unit of powers of 1000', (t) => {
  for (const [bytes, text] of amounts) t.is(formatAmount(bytes), text);
});

const rates = { sent: 25e6, received: 0 };

test('the progress shows both directions as far as they moved, and the bar only where it fits', (t) => {
  const state = { rates, readBytes: 126e6, elapsedMs: 5_000 };
  const moved = { sentBytes: 126e6, receivedBytes: 0 };
  t.is(renderProgress({ ...state, moved }, 80), 'sent 126 MB, 25.0 MB/s; 5s');
  const known = { ...state, moved, totalBytes: 300e6 };
  t.is(
    renderProgress(known, 80),
    '██████████░░░░░░░░░░░░░░ 42 %, sent 126 MB of 300 MB, 25.0 MB/s, 6s left; 5s',
  );
  t.is(renderProgress(known, 60), '42 %, sent 126 MB of 300 MB, 25.0 MB/s, 6s left; 5s');
  t.is(
    renderProgress({ ...state, moved: { sentBytes: 5, receivedBytes: 7 } }, 80),
    'sent 5 B, 25.0 MB/s; received 7 B, 0 B/s; 5s',
  );
  const nothing = { ...state, moved: { sentBytes: 0, receivedBytes: 0 } };
  t.is(renderProgress(nothing, 80), 'received 0 B, 0 B/s; 5s');
});

test('the sums name the greater direction first, and what is partial says so', (t) => {
  t.is(renderSummary({ sentBytes: 300e6, receivedBytes: 0 }, 1_200, ''), 'sent 300 MB in 1.2 s, 250 MB/s');
  t.is(
    renderSummary({ sentBytes: 12, receivedBytes: 300e6 }, 1_200, ''),
    'received 300 MB in 1.2 s, 250 MB/s; sent 12 B',
  );
  t.is(
    renderSummary({ sentBytes: 5, receivedBytes: 0 }, 1_000, 'interrupted'),
    'partial, interrupted: sent 5 B, received 0 B in 1.0 s',
  );
});

test('a rate is that of the first look at once, and follows a change within seconds', (t) => {
  const track = new TransferRates(0);
  t.is(track.update({ sentBytes: 1_000, receivedBytes: 0 }, 1_000).sent, 1_000);
  const moved = { sentBytes: 1_000, receivedBytes: 0 };
  t.true(track.update(moved, 3_000).sent < 400);
  t.true(track.update(moved, 20_000).sent < 1);
});
