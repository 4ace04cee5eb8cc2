/**
 * What a table has under a word that somebody wrote. Undefined also for words that are names of what every object has,
 * such as `constructor`.
 */
export function ownValue<Value>(table: Readonly<Record<string, Value>>, word: string): Value | undefined {
  return Object.hasOwn(table, word) ? table[word] : undefined;
}
