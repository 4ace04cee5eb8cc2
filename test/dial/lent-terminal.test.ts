import test from 'ava';
import { isForBorrower, lendTerminal, takeTerminalBack } from '../../src/dial/lent-terminal.ts';

for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
  test.serial(
    `${signal} is meant for the program that has the terminal, and for us before and after`,
    (t) => {
      takeTerminalBack(null);
      t.false(isForBorrower(signal));
      lendTerminal();
      t.true(isForBorrower(signal));
      t.true(isForBorrower(signal));
      takeTerminalBack(null);
      t.false(isForBorrower(signal));
    },
  );

  test.serial(`${signal} that ended the program may reach us after the news of its end, once`, (t) => {
    lendTerminal();
    takeTerminalBack(signal);
    t.true(isForBorrower(signal));
    t.false(isForBorrower(signal));
  });

  test.serial(`${signal} after a program that it ended is ours when its own has come in time`, (t) => {
    lendTerminal();
    t.true(isForBorrower(signal));
    takeTerminalBack(signal);
    t.false(isForBorrower(signal));
  });

  test.serial(`${signal} after a program that ended by itself is ours`, (t) => {
    for (const endedBy of [null, 'SIGTERM', signal === 'SIGINT' ? 'SIGQUIT' : 'SIGINT'] as const) {
      lendTerminal();
      takeTerminalBack(endedBy);
      t.false(isForBorrower(signal));
    }
  });
}
