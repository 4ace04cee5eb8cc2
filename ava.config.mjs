import { watchForHangs } from './scripts/watch-for-hangs.mjs';

watchForHangs(40);

/** How tests run. What takes longer than a suite that is run all day may is in `*.long.ts`: see long.config.mjs. */
export default {
  extensions: ['ts'],
  require: ['./scripts/cache-compiled.mjs'],
  files: ['test/**/*.test.ts'],
  workerThreads: false,
  timeout: '60s',
  concurrency: 4,
};
