/** performance.now() of the command line's bundle: milliseconds on a clock that is never set. */
export function monotonicMs() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}
