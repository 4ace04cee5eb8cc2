import config from './ava.config.mjs';

/** The tests that take minutes: `npm run test:long`. One at a time, since each loads the machine by itself. */
export default { ...config, files: ['test/**/*.long.ts'], timeout: '10m', concurrency: 1 };
