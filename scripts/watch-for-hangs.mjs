/**
 * Ends a run of the tests that hangs, after it has named the tests that are pending.
 *
 * AVA's own `timeout` does not always do so: its timer fires once, and where that falls into the time that a `t.timeout()`
 * of any test asked for, it is dropped and not set again; and it ends a worker by SIGTERM, which a worker may catch.
 * SIGINT makes AVA name what is pending. Loaded by AVA's own process only.
 *
 * @param limitMinutes how long a whole run may take
 */
export function watchForHangs(limitMinutes) {
  const limitMs = limitMinutes * 60_000;
  setTimeout(() => {
    console.error(`the tests still run after ${limitMinutes} minutes: these are pending`);
    process.kill(process.pid, 'SIGINT');
  }, limitMs).unref();
  setTimeout(() => process.exit(1), limitMs + 30_000).unref();
}
