import { existsSync, readFileSync } from 'node:fs';
import test from 'ava';
import fc from 'fast-check';
import { rowOf } from '../../../commands/options/build.ts';
import { buildProgram } from '../../../commands/program.ts';
import { findRefusal, type Asked } from '../../../commands/options/check.ts';
import {
  modes,
  type Mode,
  longNameOf,
  rowsOf,
  shortNameOf,
  type CommandName,
  type OptionRow,
} from '../../../commands/options/row.ts';
import { ask, commands, kinds, layouts, typed } from '../../helpers/option-pairs.ts';

/** Whether each of two options is declared to work with what the other makes of the command, and with the ends. */
function isDeclared(command: CommandName, names: readonly string[], asked: Asked): boolean {
  const rows = rowsOf(command, layouts[command]);
  const given = [...asked.given].map((name) => [name, rows.get(name)!] as const);
  const on = [
    ...(Object.keys(asked.modes ?? {}) as Mode[]),
    ...given.flatMap(([, { turnsOn }]) => turnsOn ?? []),
  ];
  return given.every(([, row]) => {
    const works = on.every((mode) => row.turnsOn === mode || row.modes?.includes(mode));
    const alone = names.every((name) => row.excludes?.[name] === undefined);
    const needs = (row.needs ?? []).filter((need) => need.in === undefined || need.in === command);
    const there = [...asked.given, ...(asked.facts ?? []), ...on, ...Object.values(asked.ends ?? {}).flat(2)];
    return works && alone && needs.every((need) => need.anyOf.some((one) => there.includes(one)));
  });
}

test('of random pairs of options in every command, each is refused, or declared to go together and proven', (t) => {
  const cases = commands.map((command) => {
    const names = [...rowsOf(command, layouts[command]).keys()];
    return fc.record({
      command: fc.constant(command),
      pair: fc.tuple(fc.constantFrom(...names), fc.constantFrom(...names)),
      kind: fc.constantFrom(...kinds),
    });
  });
  fc.assert(
    fc.property(fc.oneof(...cases), ({ command, pair, kind }) => {
      const rows = rowsOf(command, layouts[command]);
      const asked = ask(command, new Set(pair), kind);
      const refusal = findRefusal(command, rows, asked);
      if (refusal) return asked.given.has(refusal.option);
      return isDeclared(command, pair, asked) && pair.every((name) => existsSync(fileOf(rows.get(name)!)));
    }),
    { numRuns: 20_000 },
  );
  t.pass();
});

function fileOf({ test: file }: OptionRow): URL {
  return new URL(`../../${file}`, import.meta.url);
}

test('every option is proven to be used by a test that gives it', (t) => {
  for (const command of commands) {
    for (const [name, row] of rowsOf(command, layouts[command])) {
      const text = existsSync(fileOf(row)) ? readFileSync(fileOf(row), 'utf8') : '';
      const names = [shortNameOf(row), longNameOf(row)];
      const isGiven = names.some((flag) => new RegExp(`${flag}(?![\\w-])`).test(text));
      t.true(isGiven, `${command} ${name}: ${names.join(', ')} in test/${row.test}`);
    }
  }
});

test('an option whose row names no mode and no end is refused with all but TCP, and in every mode', (t) => {
  const added: OptionRow = {
    flags: '--added',
    help: 'made up',
    value: { read: (written) => written, schema: {} },
    in: { connect: ['client'], listen: ['server'], echo: ['server', 'client'], proxy: ['server'] },
    test: 'none',
  };
  for (const command of ['connect', 'listen', 'echo', 'proxy'] as const) {
    const rows = new Map([...rowsOf(command, layouts[command]), ['added', added] as const]);
    t.is(findRefusal(command, rows, ask(command, new Set(['added']), 'tcp')), undefined);
    for (const kind of ['udp', 'unix'] as const)
      t.is(
        findRefusal(command, rows, ask(command, new Set(['added']), kind))?.option,
        'added',
        `${command} ${kind}`,
      );
    for (const mode of Object.keys(modes) as Mode[]) {
      const asked = { ...ask(command, new Set(['added']), 'tcp'), modes: { [mode]: mode } };
      t.like(findRefusal(command, rows, asked), { option: 'added', kind: 'mode' });
    }
  }
});

test('the example value of every option is one that it takes, and so is its value without one', (t) => {
  for (const command of commands) {
    for (const [name, { value, alone }] of rowsOf(command, layouts[command])) {
      for (const word of [value.sample, alone]) {
        if (word === undefined) continue;
        t.notThrows(() => (value.entry ?? value.read)(word), `${command} ${name}`);
      }
    }
  }
});

test('a row names only options, modes, ends and facts that there are', (t) => {
  const facts = [
    'stream',
    'datagram',
    'ip',
    'unix',
    'balanced',
    'LISTEN is a path',
    'two UDP ends',
    'UDP and a stream',
    'program target',
    'pty target',
    'service qotd',
    'ws client',
    'ws server',
  ];
  for (const command of commands) {
    const rows = rowsOf(command, layouts[command]);
    const known = new Set([...rows.keys(), ...Object.keys(modes), ...facts]);
    for (const [name, { needs = [], excludes = {} }] of rows) {
      const meant = needs.filter((need) => need.in === undefined || need.in === command);
      for (const need of meant)
        t.true(
          need.anyOf.some((one) => known.has(one)),
          `${command} ${name}`,
        );
      for (const other of Object.keys(excludes))
        t.true(
          commands.some((one) => rowsOf(one, layouts[one]).has(other)),
          name,
        );
    }
  }
});

/** The error of a command line, which must not get as far as opening anything. */
async function refusal(command: string, args: readonly string[]): Promise<{ code: string; message: string }> {
  const program = await buildProgram('', command);
  try {
    await program.parseAsync([command, ...args], { from: 'user' });
  } catch (error) {
    return error as { code: string; message: string };
  }
  return { code: '', message: 'not refused' };
}

const address = { tcp: ['127.0.0.1:1'], udp: ['udp://127.0.0.1:1'], unix: ['/tmp/tnet-nobody'] } as const;
const sampled = ['connect', 'listen', 'echo'] as const;

for (const command of sampled) {
  test(`what the rows of tnet ${command} refuse, its command line refuses in one line`, async (t) => {
    const rows = rowsOf(command, layouts[command]);
    const names = [...rows.keys()].filter((name) => !['unix', 'port', 'udp'].includes(name));
    const refused = names.flatMap((one) =>
      names
        .filter((other) => one < other)
        .flatMap((other) => kinds.map((kind) => ({ pair: [one, other], kind })))
        .filter(({ pair, kind }) => findRefusal(command, rows, ask(command, new Set(pair), kind))),
    );
    for (const { pair, kind } of fc.sample(fc.constantFrom(...refused), { numRuns: 60, seed: 7 })) {
      const args = [...pair.flatMap((name) => typed(rows.get(name)!)), ...address[kind]];
      const { code, message } = await refusal(command, args);
      t.regex(code, /^TNET_E_|^commander\./, `${args.join(' ')}: ${message}`);
      t.false(message.includes('\n'));
    }
  });
}

for (const [command, args, message] of [
  [
    'connect',
    ['-z', '--timing', '127.0.0.1', '1'],
    '--timing does not go with -z: a check sends and reads nothing',
  ],
  [
    'connect',
    ['-q', '1', '127.0.0.1', '1', '--', 'true'],
    '-q does not go with a command after --: there is no session',
  ],
  [
    'connect',
    ['--wait', '1', '-i', '1', '127.0.0.1:1', '127.0.0.1:2'],
    '-i does not go with several addresses: they are only waited for',
  ],
  [
    'connect',
    ['-d', '--keep-sending', '127.0.0.1:1'],
    '--keep-sending does not go with -d: standard input is not read',
  ],
  ['connect', ['-U', '/tmp/x', '-x', 'socks5://h:1'], 'a Unix socket has no -x'],
  [
    'connect',
    ['--end-with-peer', '-z', '127.0.0.1:1'],
    '--end-with-peer does not go with -z: a check sends and reads nothing',
  ],
  ['connect', ['--step-timeout', '1', '127.0.0.1:1'], '--step-timeout goes with --expect'],
  ['connect', ['--escape', 'none', '127.0.0.1:1'], '--escape goes with -t or --raw'],
  [
    'connect',
    ['udp://127.0.0.1:1', '--starttls', 'smtp'],
    '--tls does not go with this address: DTLS, which is TLS for datagrams, is not supported',
  ],
  [
    'connect',
    ['--wait', '1', 'udp://127.0.0.1:1', '--', 'true'],
    '--wait needs a connection, and UDP has none',
  ],
  [
    'connect',
    ['-z', '-c', 'cat', '127.0.0.1:1'],
    'with -z it is a number of tries: expected a whole number of at least 1',
  ],
  [
    'connect',
    ['-z', '-c', '2', '--wait', '1', '127.0.0.1:1'],
    '--wait does not go with --count: each try is counted',
  ],
  ['connect', ['--count', '2', '127.0.0.1:1'], '--count goes with -z'],
  ['connect', ['--banner', '127.0.0.1:1'], '--banner goes with -z'],
  [
    'connect',
    ['--wait-closed', '127.0.0.1:1'],
    '--wait-closed goes with --wait TIME, --retry or -z: they say how long to try',
  ],
  [
    'connect',
    ['-z', '--wait-closed', '--tls', '127.0.0.1:1'],
    '--tls does not go with --wait-closed: there is no connection',
  ],
  [
    'connect',
    ['--wait', '1', '--wait-http', '200', '--expect', 'x', 'http://h'],
    '--expect does not go with --wait-http: there is no session',
  ],
  [
    'connect',
    ['-z', '--wait-http', '200', '127.0.0.1:1'],
    '--wait-http asks URLs: name one, such as http://HOST:PORT/PATH',
  ],
  [
    'connect',
    ['-z', '--wait-http', '200', '--tls', 'http://127.0.0.1:1'],
    '--tls does not go with http://: write https://',
  ],
  [
    'connect',
    ['-z', '--raw', '--wait-name', 'h'],
    '--raw does not go with -z: a check sends and reads nothing',
  ],
  [
    'echo',
    ['--ping', '--rate', '1/s', '--interval', '1', '127.0.0.1:1'],
    "option '--interval <time>' cannot be used with option '--rate <rate>'",
  ],
  ['listen', ['-k', '--raw', '127.0.0.1:0'], '--raw does not go with -k: it is for one client'],
  ['listen', ['-m', '2', '127.0.0.1:0'], '-m goes with -k'],
  ['listen', ['-u', '-k', '--pause', '1', '127.0.0.1:0'], '--pause needs a connection, and UDP has none'],
  ['listen', ['-u', '--linger', '1', '127.0.0.1:0'], '--linger needs a connection, and UDP has none'],
  ['echo', ['-u', '--keepalive', '60s', '127.0.0.1:0'], '--keepalive needs a connection, and UDP has none'],
  ['echo', ['-U', '/tmp/x', '--tos', 'ef'], 'a Unix socket has no --tos'],
  [
    'listen',
    ['--mode', '600', '127.0.0.1:0'],
    '--mode goes with -U: it sets the permissions of a Unix socket',
  ],
  ['listen', ['--insecure-exec', '127.0.0.1:0'], '--insecure-exec goes with -e or -c'],
  [
    'listen',
    ['--send-only', '--label', '-k', '127.0.0.1:0'],
    '--label does not go with --send-only: what the peer sends is dropped',
  ],
  [
    'echo',
    ['--ping', '--live', '127.0.0.1:1'],
    "--live does not go with --ping: it is a server's, and --ping is a client",
  ],
  ['echo', ['-x', 'h:1', '127.0.0.1:0'], '-x goes with --ping'],
  ['echo', ['--send-proxy', '127.0.0.1:0'], '--send-proxy goes with --ping'],
  ['echo', ['--starttls', 'smtp', '127.0.0.1:0'], '--starttls goes with --ping'],
  ['echo', ['--retry', '1', '127.0.0.1:0'], '--retry goes with --ping'],
  ['echo', ['--wait', '1s', '127.0.0.1:0'], '--wait goes with --ping'],
  ['echo', ['--ping', '--retry-delay', '1s', '127.0.0.1:1'], '--retry-delay goes with --retry or --wait'],
  ['echo', ['--ping', '-U', '/tmp/x', '-x', 'h:1'], 'a Unix socket has no -x'],
  [
    'echo',
    ['--ping', '-u', '--send-proxy', '127.0.0.1:1'],
    '--send-proxy needs a connection, and UDP has none',
  ],
  ['echo', ['--ping', '-u', '--wait', '1s', '127.0.0.1:1'], '--wait needs a connection, and UDP has none'],
  ['echo', ['--tls-pin', 'x', '127.0.0.1:0'], '--tls-pin goes with --ping'],
] as const) {
  test(`tnet ${command} ${args.join(' ')} is refused: ${message}`, async (t) => {
    t.like(await refusal(command, args), { code: 'TNET_E_USAGE', message });
  });
}

/** The options that gather values. */
const lists: Readonly<Record<string, readonly string[]>> = {
  connect: [
    '--expect',
    '--header',
    '--proxy-tlv',
    '--send',
    '--send-file',
    '--tls-alpn',
    '--tls-cert',
    '--tls-key',
    '--tls-pin',
    '--via',
    '--ws-origin',
  ],
  listen: [
    '--allow',
    '--deny',
    '--expect',
    '--multicast-source',
    '--send',
    '--tls-alpn',
    '--tls-cert',
    '--tls-key',
    '--ws-origin',
  ],
  echo: [
    '--allow',
    '--deny',
    '--header',
    '--multicast-source',
    '--proxy-tlv',
    '--tls-alpn',
    '--tls-cert',
    '--tls-key',
    '--tls-pin',
    '--via',
    '--ws-origin',
  ],
  proxy: [
    '--allow',
    '--allow-target',
    '--control-allow',
    '--deny',
    '--deny-target',
    '--header',
    '--multicast-source',
    '--pair',
    '--proxy-tlv',
    '--route',
    '--tls-alpn',
    '--tls-cert',
    '--tls-key',
    '--tls-pin',
    '--via',
    '--ws-origin',
  ],
  isip: ['--in'],
};

for (const command of Object.keys(lists)) {
  test(`every option of tnet ${command} with one value refuses a second one`, async (t) => {
    const program = await buildProgram('', command);
    const { options = [] } = program.commands.find((one) => one.name() === command) ?? {};
    const repeatable: string[] = [];
    for (const option of options.filter(({ required }) => required)) {
      const value = rowOf(option)?.value.sample;
      const flag = option.long ?? option.short ?? '';
      if (value === undefined) {
        t.fail(`no value for ${flag}`);
        continue;
      }
      // A word that no command takes ends the reading behind them.
      const { message } = await refusal(command, [flag, value, flag, value, '--nosuch']);
      if (!message.endsWith('is given twice, but takes one value')) repeatable.push(flag);
    }
    t.deepEqual(repeatable.sort(), lists[command]);
  });
}
