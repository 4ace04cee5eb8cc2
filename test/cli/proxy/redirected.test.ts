import { execFileSync } from 'node:child_process';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { nativeStatus } from '../../../src/native/addon.ts';
import { runCli, startCli, type Cli } from '../../helpers/cli.ts';
import { makeNamespace, testInNamespace } from '../../helpers/netns.ts';

/** Why no rule can be made here; undefined where one can. The word nft alone may be found to be another program. */
function whyNoRules(): string | undefined {
  try {
    execFileSync(nft, ['--version'], { stdio: 'ignore' });
    return nativeStatus().used ? undefined : 'only the addon can ask where a client was going';
  } catch {
    return 'nft is not installed';
  }
}
const nft = '/usr/sbin/nft';
const reason = whyNoRules();
if (reason !== undefined) console.log(`skipped: ${reason}`);
const testWithRules = reason === undefined ? testInNamespace() : test.serial.skip;

/** A namespace in which 10.9.9.9 is no machine: what goes to its port 80 arrives at a port of this one. */
function makeRedirected(t: ExecutionContext, port: number): readonly string[] {
  const { inside } = makeNamespace(t, [['address', 'add', '10.9.9.1/24', 'dev', 'lo']]);
  const rules = ['tcp', 'udp'].map((one) => `ip daddr 10.9.9.9 ${one} dport 80 redirect to :${port}`);
  const chain = `chain output { type nat hook output priority -100;\n${rules.join('\n')}\n}`;
  const [command = '', ...words] = inside;
  execFileSync(command, [...words, nft, '-f', '-'], { input: `table ip nat {\n${chain}\n}\n` });
  return inside;
}

const count = (cli: Cli, event: string) => cli.stderr().split(`"event":"${event}"`).length - 1;

for (const { name, env } of [
  { name: 'the lane', env: { TNET_EXPRESS: '' } },
  { name: 'the native engine', env: { TNET_EXPRESS: '0' } },
]) {
  for (const listen of ['127.0.0.1:9000', '[::]:9000']) {
    testWithRules(
      `a relay to an address that a rule leads back to ${listen} is cut after one round, on ${name}`,
      async (t) => {
        const inside = makeRedirected(t, 9000);
        const cli = startCli(t, ['proxy', '--json', listen, '10.9.9.9:80'], { inside, env });
        await cli.said(/"event":"lane"/);
        const { code } = await runCli(t, ['connect', '127.0.0.1', '9000'], '', { inside });
        t.is(code, 1);
        await cli.said(
          /TNET_E_LOOP[^]*"event":"ended"[^]*"event":"ended"|"event":"ended"[^]*TNET_E_LOOP[^]*"event":"ended"/,
        );
        t.is(count(cli, 'accepted'), 2);
        t.is(cli.stderr().split('TNET_E_LOOP').length - 1, 1);
      },
    );
  }

  testWithRules(`a client that a rule has led here is served, on ${name}`, async (t) => {
    const inside = makeRedirected(t, 9000);
    const target = startCli(t, ['listen', '-k', '127.0.0.1:9001', '-c', 'echo served'], { inside });
    await target.address();
    const cli = startCli(t, ['proxy', '127.0.0.1:9000', '127.0.0.1:9001'], { inside, env });
    await cli.address();
    const { code, stdout } = await runCli(t, ['connect', '10.9.9.9', '80'], '', { inside });
    t.deepEqual([code, stdout.toString()], [0, 'served\n']);
  });
}

testWithRules(
  'a relay of datagrams to an address that a rule leads back to it is cut after one round',
  async (t) => {
    const inside = makeRedirected(t, 9000);
    const cli = startCli(t, ['proxy', '--json', 'udp://0.0.0.0:9000', 'udp://10.9.9.9:80'], { inside });
    await cli.said(/"event":"listening"/);
    await runCli(t, ['connect', '-u', '127.0.0.1', '9000', '-q', '100ms'], 'x', { inside });
    await cli.said(/TNET_E_LOOP/);
    // What would be a second round is one more client.
    await runCli(t, ['connect', '-u', '127.0.0.1', '9000', '-q', '100ms'], 'x', { inside });
    await cli.said(/TNET_E_LOOP[^]*TNET_E_LOOP/);
    t.true(count(cli, 'accepted') <= 4);
  },
);
