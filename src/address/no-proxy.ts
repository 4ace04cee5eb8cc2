import { blockOf, parsePrefix, wholeAddress, type Prefix } from './prefix.ts';

/** Where a connection goes. */
interface Target {
  readonly host: string;
  readonly port: number;
}

/**
 * Whether NO_PROXY names a target: by names with all that is below them (`example.com`, `.example.com`), addresses,
 * blocks (`10.0.0.0/8`), or `*` for every target, separated by commas or blanks; with a port after it
 * (`example.com:443`, `[::1]:443`) an entry names that port alone. Source: curl(1), NO_PROXY; ports as Go's
 * httpproxy has them.
 */
export function isExempt({ host, port }: Target, noProxy: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '');
  const address = wholeAddress(name);
  const entries = noProxy.toLowerCase().split(/[\s,]+/);
  return entries.some((entry) => {
    if (entry === '*') return true;
    const { named, ownPort } = splitPort(entry);
    return (ownPort === undefined || ownPort === port) && names(named, name, address);
  });
}

/** An IPv6 address has its port after brackets. */
function splitPort(entry: string): { named: string; ownPort: number | undefined } {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [];
  return { named: bracketed ?? plain ?? entry, ownPort: port === undefined ? undefined : Number(port) };
}

function names(entry: string, name: string, address: Prefix | undefined): boolean {
  const prefix = parsePrefix(entry) ?? wholeAddress(entry);
  if (prefix) return address !== undefined && blockOf(prefix, entry).covers(address);
  const suffix = entry.replace(/^\*?\./, '').replace(/\.$/, '');
  return suffix !== '' && address === undefined && (name === suffix || name.endsWith(`.${suffix}`));
}
