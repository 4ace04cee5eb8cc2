import test from 'ava';
import type { Context } from '../../commands/context.ts';
import { ServerRun } from '../../commands/server-run.ts';
import type { Event } from '../../src/report/events.ts';
import { Reporter } from '../../src/report/reporter.ts';

test('a server that is bound after the run has ended is closed again, and not told', (t) => {
  const told: Event['event'][] = [];
  const reporter = new Reporter({
    name: 'test',
    verbosity: 0,
    json: true,
    write: (line) => void told.push((JSON.parse(line) as Event).event),
  });
  const context: Context = { reporter, exit: () => undefined, fail: () => undefined };
  const run = new ServerRun(context);
  t.teardown(() => run.interruption[Symbol.dispose]());
  const bind = () => {
    const server = {
      isClosed: false,
      address: () => ({ address: '127.0.0.1', family: 'IPv4', port: 1 }),
      close(done?: () => void) {
        server.isClosed = true;
        done?.();
      },
      on: () => undefined,
    };
    return server;
  };
  const [early, late] = [bind(), bind()];
  t.true(run.started(early));
  run.stop();
  t.false(run.started(late));
  t.true(early.isClosed);
  t.true(late.isClosed);
  t.deepEqual(told, ['listening']);
});
