import { readFileSync } from 'node:fs';

/** Every message that docs/errors.md lists, with the heading that it stands under. */
export function readListedMessages(): readonly { readonly code: string; readonly text: string }[] {
  const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
  return [...page.matchAll(/^### (.+)\n\n```text\n([^]*?)\n```$/gm)].flatMap(([, code = '', texts = '']) =>
    texts.split('\n').map((text) => ({ code, text })),
  );
}

/** What a listed message looks like when it is printed: at the end of a line, before its code. */
export function patternOf(text: string): RegExp {
  const source = text
    .split(/(<[^<>]+>|[[\]])/)
    .map((part) => {
      if (part === '[') return '(?:';
      if (part === ']') return ')?';
      return /^<.+>$/.test(part) ? '.*' : part.replace(/[.*+?^${}()|\\]/g, '\\$&');
    })
    .join('');
  return new RegExp(`(?:^|: )${source}$`);
}
