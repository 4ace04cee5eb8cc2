/** Numbers from 0 up to 1, the same ones for the same seed. */
export type Random = () => number;

/**
 * A generator whose numbers depend on the seed and on the words after it, so that each connection and direction has
 * a sequence of its own. Source: mulberry32, with the words mixed in by FNV-1a.
 */
export function createRandom(seed: number, ...words: readonly (string | number)[]): Random {
  let state = 0x811c9dc5;
  for (const byte of Buffer.from([seed, ...words].join('\0'))) state = Math.imul(state ^ byte, 0x01000193);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A number between mean - spread and mean + spread, each as likely as the other. */
export function drawWithin({ mean, spread }: { mean: number; spread: number }, random: Random): number {
  return spread === 0 ? mean : mean + (random() * 2 - 1) * spread;
}
