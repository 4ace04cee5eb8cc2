import test from 'ava';
import { buildProgram } from '../../../commands/program.ts';
import { connectFlagRules } from '../../../commands/connect/flag-rules.ts';
import { echoFlagRules } from '../../../commands/echo/flag-rules.ts';
import { listenFlagRules } from '../../../commands/listen/flag-rules.ts';
import type { FlagRules } from '../../../commands/options/flag-rules.ts';

/** How each flag of the rules is typed. */
const typed: Readonly<Record<string, readonly string[]>> = {
  exec: ['-e', 'cat'],
  shExec: ['-c', 'cat'],
  telnet: ['-t'],
  raw: ['--raw'],
  escape: ['--escape', 'none'],
  delay: ['--delay', '1s'],
  idle: ['-i', '1s'],
  quit: ['-q', '1s'],
  shutdown: ['--no-shutdown'],
  sendOnly: ['--send-only'],
  recvOnly: ['-d'],
  keepSending: ['--keep-sending'],
  waitReply: ['--wait-reply'],
  output: ['-o', '/nowhere/file'],
  format: ['--format', 'raw'],
  append: ['--append'],
  timing: ['--timing'],
  expect: ['--expect', 'x'],
  send: ['--send', 'x'],
  stepTimeout: ['--step-timeout', '1s'],
  sendCrlf: ['-C'],
  crlf: ['--crlf', 'out'],
  retryDelay: ['--retry-delay', '1s'],
  starttls: ['--starttls', 'smtp'],
  any: ['--any'],
  all: ['--all'],
  check: ['-z'],
  udp: ['-u'],
  unix: ['-U', '/nowhere/socket'],
  keepOpen: ['-k'],
  pause: ['--pause', '1s'],
  source: ['-s', '127.0.0.1'],
  reject: ['--reject'],
  label: ['--label'],
  outputDir: ['--output-dir', '/nowhere'],
  maxConnections: ['-m', '2'],
  insecureExec: ['--insecure-exec'],
  ipv4: ['-4'],
  ipv6: ['-6'],
  ping: ['--ping'],
  port: ['-p', '1'],
  service: ['--service', 'time'],
  quoteFile: ['--quote-file', '/nowhere/file'],
  mode: ['--mode', '600'],
  retryBind: ['--retry-bind'],
  readyFd: ['--ready-fd', '2'],
  readyFile: ['--ready-file', '/nowhere/file'],
  allow: ['--allow', '10.0.0.0/8'],
  deny: ['--deny', '10.0.0.0/8'],
  live: ['--live'],
  acceptProxy: ['--accept-proxy'],
  count: ['-c', '1'],
  size: ['--size', '64'],
  waitConnect: ['-w', '1s'],
  timeout: ['--timeout', '1s'],
  tlsServername: ['--tls-servername', 'x'],
  tlsInsecure: ['--tls-insecure'],
  tlsPin: ['--tls-pin', 'x'],
  rate: ['--rate', '1/s'],
};

/** The command line of a mode that is more than a flag, around other flags. */
const modes: Readonly<Record<string, (flags: readonly string[]) => readonly string[]>> = {
  'a command after --': (flags) => [...flags, '127.0.0.1', '1', '--', 'true'],
  'a UDP server': (flags) => ['-u', ...flags, '127.0.0.1:1'],
  'several addresses': (flags) => [...flags, '--wait', '1s', '127.0.0.1:1', '127.0.0.1:2'],
};

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

for (const [command, rules] of Object.entries({
  connect: connectFlagRules,
  listen: listenFlagRules,
  echo: echoFlagRules,
} satisfies Record<string, FlagRules>)) {
  for (const { mode, flags } of rules.excludes) {
    for (const flag of flags) {
      const given = typed[flag] ?? [flag];
      test(`tnet ${command}: ${given.join(' ')} is refused with ${mode}`, async (t) => {
        const address = mode === 'unix' ? [] : ['127.0.0.1:1'];
        const args = modes[mode]?.(given) ?? [...(typed[mode] ?? [mode]), ...given, ...address];
        const { code, message } = await refusal(command, args);
        t.is(code, 'TNET_E_USAGE', message);
        t.regex(message, /^--?[\w-]+ does not go with .+: .+/);
      });
    }
  }
  for (const { flag, called } of rules.needs) {
    const given = typed[flag] ?? [flag];
    test(`tnet ${command}: ${given.join(' ')} goes with ${called}`, async (t) => {
      const { code, message } = await refusal(command, [...given, '127.0.0.1:1']);
      t.is(code, 'TNET_E_USAGE', message);
      t.true(message.endsWith(` goes with ${called}`), message);
    });
  }
}

/** The options that gather values. */
const lists: Readonly<Record<string, readonly string[]>> = {
  connect: ['--expect', '--send', '--tls-alpn', '--tls-pin', '--via'],
  listen: ['--allow', '--deny', '--expect', '--send', '--tls-alpn'],
  echo: ['--allow', '--deny', '--tls-alpn', '--tls-pin'],
  proxy: ['--allow', '--deny', '--pair', '--route', '--tls-alpn'],
  isip: ['--in'],
};

for (const command of Object.keys(lists)) {
  test(`every option of tnet ${command} with one value refuses a second one`, async (t) => {
    const program = await buildProgram('', command);
    const { options = [] } = program.commands.find((one) => one.name() === command) ?? {};
    const repeatable: string[] = [];
    for (const option of options.filter(({ required }) => required)) {
      const value = [
        '1',
        '/x',
        'none',
        'hex',
        '600',
        'off',
        'first',
        'socks5',
        'out',
        'up',
        'smtp',
        'echo',
        '1s',
      ].find((text) => {
        try {
          if (!option.argChoices) option.parseArg?.(text, undefined);
          return option.argChoices ? option.argChoices.includes(text) : true;
        } catch {
          return false;
        }
      });
      const flag = option.long ?? option.short ?? '';
      if (value === undefined) {
        t.fail(`no value for ${flag}`);
        continue;
      }
      // A word that no command takes ends the reading behind them.
      const { message } = await refusal(command, [flag, value, flag, value, '--nosuch']);
      if (!message.endsWith('is given twice, and has one value')) repeatable.push(flag);
    }
    t.deepEqual(repeatable.sort(), lists[command]);
  });
}
