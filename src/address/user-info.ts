/**
 * An argument as it may be shown in an error: what stands before the last `@` of an address, where people put a user and
 * a password, is left out. Paths and abstract sockets, which have an `@` of their own, stay as they are.
 */
export function hideUserInfo(argument: string): string {
  const at = argument.lastIndexOf('@');
  if (at < 0 || /^(?:unix:|[@./])/.test(argument)) return argument;
  const [scheme = ''] = /^[a-z][a-z0-9+.-]*:\/\//i.exec(argument) ?? [];
  return `${scheme}…${argument.slice(at)}`;
}
