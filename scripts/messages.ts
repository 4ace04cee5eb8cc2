import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { errorTable } from '../src/errors.ts';
import { protocolErrorTable } from '../src/protocol/protocol-error.ts';
import { MessageSources, unique, walk } from './message-sources.ts';

/** A message that tnet can print: `no answer from <name> within <time>`. */
export interface Message {
  /** A code of tnet's, or a name of {@link otherParts}. */
  readonly code: string;
  readonly text: string;
}

/** What else is listed, with its heading. */
const otherParts: Readonly<Record<string, string>> = {
  system: "Failures with the system's codes",
  warning: 'Warnings',
  hint: 'Hints',
  reason: 'What `<reason>` is where options exclude each other',
  need: 'What `<need>` is where an option needs another one',
  advice: 'What `<foreign flag>` is for the flags of other programs',
};

/** Errors without a code of their own, which their only caller gives them. */
const codedByCaller: Readonly<Record<string, string>> = {
  'src/transform/byte-pattern.ts': 'TNET_E_USAGE',
  'src/protocol/small-services/services.ts': 'TNET_E_USAGE',
};

/** The functions whose results are messages about codes of others. */
const explaining = new Set(['describeTlsError']);

/** Where an option's row says why the option does not work, and what it needs. */
const rowParts: Readonly<Record<string, string>> = {
  because: 'reason',
  excludes: 'reason',
  reason: 'reason',
  needs: 'need',
};
/** Where the flags of other programs are. */
const foreignFlags = 'commands/options/foreign-flags.ts';

/** What commander says, as commands/program.ts puts it. test/messages.test.ts has an example of each. */
const fromCommander: readonly Message[] = [
  "'<value>': expected one of <values>[; did you mean <value>?]",
  "missing required argument '<argument>'",
  "too many arguments for '<command>'; expected <number> argument[s] but got <number>: <arguments>",
].map((text) => ({ code: 'TNET_E_USAGE', text }));

/** Every message of the sources, sorted by code and text. */
export function listMessages(): readonly Message[] {
  const sources = new MessageSources(fileURLToPath(new URL('..', import.meta.url)));
  const found: Message[] = [...fromCommander];
  const add = (code: ts.Expression | string, message: ts.Expression) => {
    const expressions = typeof code === 'string' ? [message] : [message, code];
    for (const [texts = [], codes = [code as string]] of sources.readTogether(expressions))
      found.push(...codes.flatMap((one) => texts.map((text) => ({ code: one, text }))));
  };
  for (const file of sources.files) {
    walk(file, (node) => {
      if (ts.isNewExpression(node)) {
        const [first, second] = node.arguments ?? [];
        const name = node.expression.getText();
        if ((name === 'TnetError' || name === 'ProtocolError') && first && second) add(first, second);
        if (name === 'ExplainedError' && second) add('system', second);
        const given = codedByCaller[sources.pathOf(node)];
        if (name === 'Error' && first && given !== undefined) add(given, first);
      }
      if (ts.isFunctionDeclaration(node) && explaining.has(node.name?.text ?? ''))
        for (const text of sources.readResults(node)) found.push({ code: 'system', text });
      if (ts.isPropertyAssignment(node)) {
        const name = node.name.getText();
        const path = sources.pathOf(node);
        const { initializer } = node;
        if (path === 'src/report/sentences.ts' || path === foreignFlags) {
          if (ts.isStringLiteral(initializer)) add(path === foreignFlags ? 'advice' : 'system', initializer);
        }
        const part = path.startsWith('commands/options/') ? rowParts[name] : undefined;
        if (part !== undefined)
          walk(initializer, (one) => {
            if (ts.isStringLiteral(one) && one.text.includes(' ')) add(part, one);
          });
      }
      if (ts.isObjectLiteralExpression(node)) {
        const message = memberOf(node, 'message');
        const event = memberOf(node, 'event');
        if (message && event && ts.isStringLiteral(event) && /^(?:warning|hint)$/.test(event.text))
          add(event.text, message);
        const code = memberOf(node, 'code');
        if (message && code && /'TNET_E_\w+'/.test(code.getText())) add(code, message);
      }
    });
  }
  return unique(
    found
      .filter(({ code, text }) => isKnown(code) && hasWords(text))
      .map(({ code, text }) => `${code}\0${text}`),
  )
    .toSorted()
    .map((pair) => {
      const [code = '', text = ''] = pair.split('\0');
      return { code, text };
    });
}

/** A code that is passed on stands where it comes from. */
function isKnown(code: string): boolean {
  return !code.startsWith('<');
}

/** A text that another one is passed on with says nothing of its own. */
function hasWords(text: string): boolean {
  return /[a-z]{2}/i.test(text.replace(/\[.*?\]|<.*?>/g, ''));
}

function memberOf(object: ts.ObjectLiteralExpression, name: string): ts.Expression | undefined {
  for (const member of object.properties) {
    if (member.name?.getText() !== name) continue;
    if (ts.isPropertyAssignment(member)) return member.initializer;
    if (ts.isShorthandPropertyAssignment(member)) return member.name;
  }
  return undefined;
}

const start = '<!-- messages: node scripts/write-messages.mjs -->';
const end = '<!-- end of messages -->';

/** docs/errors.md with the list of messages that the sources have. */
export function writeMessages(page: string, messages: readonly Message[]): string {
  const groups = Map.groupBy(messages, ({ code }) => code);
  const codes = [...Object.keys(errorTable), ...Object.keys(protocolErrorTable), ...Object.keys(otherParts)];
  const sections = codes.map((code) => {
    const texts = (groups.get(code) ?? []).map(({ text }) => text);
    return `### ${otherParts[code] ?? code}\n\n\`\`\`text\n${texts.join('\n')}\n\`\`\``;
  });
  const [before, rest = ''] = page.split(start);
  const [, after] = rest.split(end);
  if (after === undefined) throw new Error('docs/errors.md has lost the marks around the messages');
  return `${before}${start}\n\n${sections.join('\n\n')}\n\n${end}${after}`;
}
