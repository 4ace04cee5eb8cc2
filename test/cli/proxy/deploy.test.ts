import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { validate as checkContainerfile } from 'dockerfile-utils';
import { parseAllDocuments } from 'yaml';
import { payload, sameBytes } from '../../helpers/bytes.ts';
import { closedPort, runCli, tnetPath } from '../../helpers/cli.ts';
import { startProgram } from '../../helpers/processes.ts';
import { testWith } from '../../helpers/programs.ts';
import { exchange, startEcho } from '../../helpers/proxy.ts';
import { runProgram } from '../../helpers/ways.ts';

const deploy = (name: string) => fileURLToPath(new URL(`../../../docs/deploy/${name}`, import.meta.url));
const units = ['tnet-proxy.service', 'tnet-proxy.socket'].map(deploy);
const run = promisify(execFile);

testWith('systemd-analyze')(
  'systemd-analyze finds nothing wrong with the units of docs/deploy',
  async (t) => {
    const { stderr } = await run('systemd-analyze', ['verify', '--man=no', ...units]);
    t.is(stderr, '');
  },
);

testWith('systemd-analyze')('systemd-analyze finds the service well guarded', async (t) => {
  const words = ['security', '--offline=yes', '--no-pager', '--threshold=25', units[0]!];
  const { stdout } = await runProgram('systemd-analyze', words);
  t.regex(stdout.toString(), /Overall exposure level for tnet-proxy\.service: [0-2]\.\d OK/);
});

testWith('systemd-socket-activate')('a socket that systemd has bound is served as fd:3', async (t) => {
  const target = await startEcho(t);
  const port = await closedPort();
  const words = ['-l', `127.0.0.1:${port}`, process.execPath, tnetPath, 'proxy', 'fd:3', target];
  const child = startProgram(t, 'systemd-socket-activate', words);
  // It says that it listens; the proxy is started by the first client.
  await new Promise<void>((resolve) => {
    let said = '';
    child.stderr!.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('Listening on')) resolve();
    });
  });
  const sent = payload(100_000);
  sameBytes(t, (await exchange(t, `127.0.0.1:${port}`, sent)).bytes, sent);
});

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly template?: {
      readonly spec: {
        readonly terminationGracePeriodSeconds: number;
        readonly containers: readonly {
          readonly args: readonly string[];
          readonly lifecycle: { readonly preStop: { readonly sleep: { readonly seconds: number } } };
        }[];
      };
    };
  };
}

const manifests = parseAllDocuments(readFileSync(deploy('kubernetes.yaml'), 'utf8')).map((document) => ({
  errors: document.errors,
  value: document.toJS() as Manifest,
}));

/** The module of Kubernetes' own schema for an object. */
function schemaName({ apiVersion, kind }: Manifest): string {
  const [group = '', version = group] = apiVersion.includes('/')
    ? apiVersion.split('/')
    : ['core', apiVersion];
  const [area = ''] = group.split('.');
  const upper = (word: string) => word[0]!.toUpperCase() + word.slice(1);
  return `IoK8sApi${upper(area)}${upper(version)}${kind}`;
}

for (const { errors, value } of manifests) {
  test.serial(
    `the ${value.kind} ${value.metadata.name} of docs/deploy is what Kubernetes' schema asks for`,
    async (t) => {
      t.deepEqual(errors, []);
      const { validate } = (await import(`kubernetes-models/_schemas/${schemaName(value)}`)) as {
        validate: { (value: unknown): boolean; errors?: unknown };
      };
      t.true(validate(value), JSON.stringify(validate.errors));
      t.false(validate({ ...value, spec: 1 }), 'the schema is not asked');
    },
  );
}

test.serial('a pod drains within the time that Kubernetes gives it', (t) => {
  const pod = manifests.find(({ value }) => value.kind === 'Deployment')!.value.spec.template!.spec;
  const [{ args, lifecycle }] = pod.containers as [(typeof pod.containers)[0]];
  const drainSeconds = Number(/^(\d+)s$/.exec(args[args.indexOf('--drain') + 1]!)![1]);
  t.true(lifecycle.preStop.sleep.seconds + drainSeconds < pod.terminationGracePeriodSeconds);
});

test.serial('the Containerfile is well formed', (t) => {
  t.deepEqual(checkContainerfile(readFileSync(deploy('Containerfile'), 'utf8')), []);
});

// What is not there to be bound is the first thing wrong with each: its words have been understood.
for (const [name, words] of [
  [
    'the unit',
    /ExecStart=\/usr\/bin\/env tnet (proxy .*)/.exec(readFileSync(units[0]!, 'utf8'))![1]!.split(' '),
  ],
  [
    'the Deployment',
    [
      'proxy',
      ...manifests.find(({ value }) => value.kind === 'Deployment')!.value.spec.template!.spec.containers[0]!
        .args,
    ],
  ],
] as const) {
  test.serial(`tnet understands the arguments of ${name}`, async (t) => {
    const unbound = words.map((word) =>
      /^(0\.0\.0\.0:8080|fd:3)$/.test(word)
        ? '192.0.2.1:1'
        : word.replace(/^(127\.0\.0\.1|0\.0\.0\.0):9100$/, '127.0.0.1:0'),
    );
    const { code, stderr } = await runCli(t, unbound);
    t.is(code, 2, stderr);
    t.regex(stderr, /EADDRNOTAVAIL/);
  });
}
