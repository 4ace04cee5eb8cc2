#!/usr/bin/env node
'use strict';
// The only plain JavaScript file of the product, so that any Node can read it: an old one gets a sentence, not a
// syntax error.
var version = process.versions.node.split('.').map(Number);
var major = version[0];
var minor = version[1];

if ((major === 24 && minor >= 19) || (major === 26 && minor >= 4) || major > 26) {
  var mod = require('node:module');
  if (mod.enableCompileCache) mod.enableCompileCache();
  require('../dist/cli.cjs').main();
} else {
  process.stderr.write(
    'tnet: Node ' +
      process.versions.node +
      ' is not supported: tnet needs 24.19 or later of Node 24, or 26.4 or later; ' +
      'get one from https://nodejs.org/en/download, or with nvm: nvm install 24\n',
  );
  process.exitCode = 2;
}
