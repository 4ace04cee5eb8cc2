import { readFileSync } from 'node:fs';
import test from 'ava';
import type { CommanderError } from 'commander';
import { buildProgram, explainUsageError } from '../commands/program.ts';
import { listMessages, writeMessages } from '../scripts/messages.ts';
import { errorTable } from '../src/errors.ts';
import { protocolErrorTable } from '../src/protocol/protocol-error.ts';
import { patternOf, readListedMessages } from './helpers/listed-messages.ts';

const listed = readListedMessages();

test('docs/errors.md lists every message of the sources; node scripts/write-messages.mjs writes it', (t) => {
  t.timeout(180_000);
  const page = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');
  t.is(page, writeMessages(page, listMessages()));
});

test('every code has a message, and every message a code', (t) => {
  const codes = [...Object.keys(errorTable), ...Object.keys(protocolErrorTable)];
  t.deepEqual(
    codes.filter((code) => !listed.some((one) => one.code === code)),
    [],
  );
  t.deepEqual(
    listed.filter(({ code }) => code.startsWith('TNET_E_') && !codes.includes(code)),
    [],
  );
});

/** Names that begin with a capital, also at the start of a message. */
const names = /^(?:Node|Unix|WebSockets|Windows|Lua|Basic) /;

/** What is wrong with the wording of a message, by the rule that it breaks. */
const faults: Readonly<Record<string, (text: string) => boolean>> = {
  'begins with a capital letter': (text) => /^[A-Z][a-z]|^A /.test(text) && !names.test(text),
  'ends with a full stop': (text) => /[.!:;,]$/.test(text),
  'has more than one sentence': (text) => /[.!?] [A-Z]/.test(text),
  'has a blank too many': (text) => / {2}|^ | $| [,;:.](?: |$)/.test(text),
  'says please or sorry': (text) => /\b(?:please|sorry|oops)\b/i.test(text),
  'has the wrong article': (text) => /\ba (?:[aeio]|un[^i])|\ban (?:[bcdfgjkpqtvwz]|uni|user)/.test(text),
  'says that something is needed in the place of what was expected': (text) =>
    /\b(?:is|are) needed\b/.test(text),
  'says what is not in the words of a riddle': (text) =>
    /(?<!there )\b(?:is|are|was) (?:no|none)\b(?! longer)|\b(?:speaks|knows|carries) no /.test(text),
  'has words that nobody says': (text) =>
    /\b(?:anew|parted|in so many|nobody known|vouches|spelt out|is told|runs of|stands|of socat|of TCP|of UDP)\b/.test(
      text,
    ),
};

for (const [fault, has] of Object.entries(faults)) {
  test(`no message ${fault}`, (t) => {
    t.deepEqual(
      listed.filter(({ text }) => has(text)).map(({ text }) => text),
      [],
    );
  });
}

const mistakes: readonly (readonly [words: readonly string[], message: string])[] = [
  [['completion'], "missing required argument '<argument>'"],
  [
    ['completion', 'bash', 'x'],
    "too many arguments for '<command>'; expected <number> argument[s] but got <number>: <arguments>",
  ],
  [['completion', 'basch'], "'<value>': expected one of <values>[; did you mean <value>?]"],
  [['connect', '--crlf', 'inn', 'h', '80'], "'<value>': expected one of <values>[; did you mean <value>?]"],
];
for (const [words, message] of mistakes) {
  test(`tnet ${words.join(' ')} says what docs/errors.md lists as: ${message}`, async (t) => {
    t.true(listed.some(({ text }) => text === message));
    const program = await buildProgram('');
    const [command] = words;
    const error = await t.throwsAsync<CommanderError>(program.parseAsync(words, { from: 'user' }));
    const explained = await explainUsageError(command, error.code, error.message);
    t.regex(explained.message, patternOf(message));
  });
}
