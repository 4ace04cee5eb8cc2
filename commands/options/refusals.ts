import { TnetError } from '../../src/errors.ts';
import { findRefusal, type Asked, type Refusal } from './check.ts';
import { rowsOf, shortNameOf, type CommandName, type Layout, type OptionRow } from './row.ts';

/**
 * Refuses options that would be ignored or cannot be done, in one line.
 *
 * @throws TnetError TNET_E_USAGE
 */
export function checkOptions(command: CommandName, layout: Layout, asked: Asked): void {
  // What is refused is an option.
  if (asked.given.size === 0) return;
  const rows = rowsOf(command, layout);
  const refusal = findRefusal(command, rows, asked);
  if (refusal) throw new TnetError('TNET_E_USAGE', describe(refusal, rows, asked));
}

function describe(refusal: Refusal, rows: ReadonlyMap<string, OptionRow>, { role }: Asked): string {
  const nameOf = (option: string) => shortNameOf(rows.get(option) ?? { flags: option });
  const flagsOf = (option: string) => rows.get(option)?.flags ?? option;
  const flag = nameOf(refusal.option);
  switch (refusal.kind) {
    case 'role':
      return role === 'client'
        ? `${flag} does not go with --ping: it is a server's, and --ping is a client`
        : `${flag} goes with --ping`;
    case 'excluded':
    case 'mode': {
      const { by, reason } = refusal;
      const other = by === undefined ? (refusal.kind === 'mode' ? refusal.called : '') : nameOf(by);
      if (reason === '' && by !== undefined)
        return `option '${flagsOf(by)}' cannot be used with option '${flagsOf(refusal.option)}'`;
      return `${flag} does not go with ${other}: ${reason}`;
    }
    case 'end':
      if (refusal.end === 'datagram') return `${flag} needs a connection, and UDP has none`;
      return refusal.end === 'unix' ? `a Unix socket has no ${flag}` : `${flag} is for other addresses`;
    case 'need':
      return `${flag} goes ${describeNeed(refusal, nameOf)}`;
  }
}

/** `with -k`, or what the row says. */
export function describeNeed(
  { need }: Extract<Refusal, { readonly kind: 'need' }>,
  nameOf: (option: string) => string,
): string {
  return need.called ?? `with ${need.anyOf.map(nameOf).join(' or ')}`;
}
