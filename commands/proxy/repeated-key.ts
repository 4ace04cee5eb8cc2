/**
 * The first key that an object of a JSON text has twice: JSON.parse() takes the last of them without a word.
 *
 * @param json a text that JSON.parse() accepts
 */
export function findRepeatedKey(json: string): string | undefined {
  /** The keys so far of each object that is open; undefined stands for a list. */
  const open: (Set<string> | undefined)[] = [];
  for (const [token, text, colon] of json.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\]]/gs)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(undefined);
    else if (token === '}' || token === ']') open.pop();
    if (text === undefined || colon === undefined) continue;
    const key = JSON.parse(text) as string;
    const keys = open.at(-1);
    if (keys?.has(key)) return key;
    keys?.add(key);
  }
  return undefined;
}
