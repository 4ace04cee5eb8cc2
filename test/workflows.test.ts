import { existsSync, readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { parse } from 'yaml';

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}

interface Job {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly 'runs-on': string;
  readonly 'timeout-minutes'?: number;
  readonly strategy?: { readonly matrix: Readonly<Record<string, readonly unknown[]>> };
  readonly steps: readonly Step[];
}

interface Workflow {
  readonly on: unknown;
  readonly permissions: Readonly<Record<string, string>>;
  readonly concurrency: { readonly group: string };
  readonly jobs: Readonly<Record<string, Job>>;
}

const folder = new URL('../.github/workflows/', import.meta.url);
const packageJson = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>;
};

for (const name of readdirSync(folder)) {
  const source = readFileSync(new URL(name, folder), 'utf8');
  const workflow = parse(source) as Workflow;
  const jobs = Object.entries(workflow.jobs);
  const steps = jobs.flatMap(([, job]) => job.steps);

  test(`${name} may only read, but for what a job says`, (t) => {
    t.deepEqual(workflow.permissions, { contents: 'read' });
    for (const [id, { permissions = {} }] of jobs)
      t.false(Object.keys(permissions).includes('contents') && permissions['contents'] !== 'read', id);
  });

  test(`${name} pins each action by a commit, with its version as a comment`, (t) => {
    const uses = [...source.matchAll(/uses: (.*)$/gm)].map(([, text]) => text!);
    t.is(uses.length, steps.filter((step) => step.uses !== undefined).length);
    for (const text of uses) t.regex(text, /^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  test(`${name} has a concurrency group, and a limit in time for each job`, (t) => {
    t.truthy(workflow.on);
    t.is(typeof workflow.concurrency.group, 'string');
    for (const [id, job] of jobs) {
      t.is(typeof job['runs-on'], 'string', id);
      t.is(typeof job['timeout-minutes'], 'number', id);
    }
  });

  test(`${name} keeps no credentials in its checkouts`, (t) => {
    for (const step of steps.filter(({ uses }) => uses?.startsWith('actions/checkout@')))
      t.is(step.with?.['persist-credentials'], false);
  });

  test(`${name} runs scripts that are there`, (t) => {
    const commands = steps.map(({ run }) => run ?? '').join('\n');
    for (const [, script] of commands.matchAll(/npm run (\S+)/g))
      t.true(script! in packageJson.scripts, script);
    for (const [, file] of commands.matchAll(/(?:node|bash) ((?:[\w.-]+\/)+[\w.-]+)/g)) {
      t.true(existsSync(new URL(`../${file!}`, import.meta.url)), file);
    }
  });
}

test('the suite runs on Linux, macOS and Windows with each Node that tnet supports', (t) => {
  const { jobs } = parse(readFileSync(new URL('test.yml', folder), 'utf8')) as Workflow;
  t.deepEqual(jobs['suite']?.strategy?.matrix, {
    os: ['ubuntu-latest', 'macos-latest', 'windows-latest'],
    node: [24, 26],
  });
});
