'use strict';
// Stands in for node:child_process in the bundle: the real module is loaded when a function of it is called.
// The name is put together so that the bundler does not alias it to this file.
const load = () => process.getBuiltinModule('node:child_process');
module.exports = {
  spawn: (...args) => load().spawn(...args),
  spawnSync: (...args) => load().spawnSync(...args),
  fork: (...args) => load().fork(...args),
  execFile: (...args) => load().execFile(...args),
};
