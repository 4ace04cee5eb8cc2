/**
 * The words of each call of tnet in a line of shell, without `tnet` itself: quotes are taken off, redirections left
 * out, and a variable stands for 192.0.2.1, which is good wherever an address, a host or a name is.
 * Knows what documentation uses, no more: pipes, lists, quotes, `&`, redirections, comments.
 */
export function tnetCallsOf(line: string): string[][] {
  const calls: string[][] = [];
  for (const words of splitCommands(line)) {
    const at = words.indexOf('tnet');
    if (at >= 0) calls.push(words.slice(at + 1));
  }
  return calls;
}

/** One token: white space, a comment, a redirection, an operator, or a word with its quoted parts. */
const token =
  /\s+|#.*|\d?[<>]{1,2}&?\s*(?:'[^']*'|"[^"]*"|[^\s;|&<>()])+|<\(|&&|\|\||[;|&(){}]|(?:'[^']*'|"[^"]*"|\\.|\$\([^)]*\)|[^\s;|&<>()'"])+/y;

function splitCommands(line: string): string[][] {
  const commands: string[][] = [[]];
  token.lastIndex = 0;
  while (token.lastIndex < line.length) {
    const at = token.lastIndex;
    const [text] = token.exec(line) ?? [''];
    if (text === '') throw new Error(`not understood at ${at}: ${line}`);
    if (text.startsWith('#')) break;
    if (/^\s|^\d?[<>](?!\()/.test(text)) continue;
    if (/^[<;|&(){}]/.test(text)) commands.push([]);
    else commands.at(-1)!.push(unquote(text));
  }
  return commands.filter((words) => words.length > 0);
}

function unquote(word: string): string {
  return word.replace(
    /'([^']*)'|"([^"]*)"|\\(.)|\$\{?\w+\}?|\$\([^)]*\)/g,
    (_all, single?: string, double?: string, escaped?: string) => {
      if (double !== undefined) return unquote(double);
      return single ?? escaped ?? '192.0.2.1';
    },
  );
}
