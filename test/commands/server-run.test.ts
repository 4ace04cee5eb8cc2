import test from 'ava';
import type { Context } from '../../commands/context.ts';
import { ServerRun } from '../../commands/server-run.ts';
import { prepareService } from '../../src/serve/service.ts';
import { Reporter } from '../../src/report/reporter.ts';

test('a server that is bound after accepting was stopped is closed again', async (t) => {
  const reporter = new Reporter({
    name: 'test',
    verbosity: 0,
    json: true,
    write: () => undefined,
  });
  const context: Context = { reporter, exit: () => undefined, fail: () => undefined };
  const run = new ServerRun(context, {}, { name: 'echo' });
  t.teardown(() => run.interruption[Symbol.dispose]());
  const closed: string[] = [];
  const bind = (address: string) => ({
    address,
    replaceService: () => undefined,
    reloadAccess: () => Promise.resolve(undefined),
    close: () => void closed.push(address),
  });
  const handle = () => Promise.reject(new Error('nobody comes'));
  await run.start((host) =>
    Promise.all(
      [1, 2].map((port) =>
        prepareService({ kind: 'tcp', port }, {}, host, {
          handle,
          async bind() {
            // The one client of the first comes while the second is being bound.
            if (port === 2) run.stop();
            await new Promise((resolve) => setImmediate(resolve));
            return bind(`127.0.0.1:${port}`);
          },
        }),
      ),
    ),
  );
  await new Promise((resolve) => setImmediate(resolve));
  t.deepEqual(closed, ['127.0.0.1:1', '127.0.0.1:2']);
  t.deepEqual(run.addresses, []);
});
