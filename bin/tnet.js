#!/usr/bin/env node
'use strict';
// The only plain JavaScript file of the product, so that any Node can read it: an old one gets a sentence, not a
// syntax error.
var version = process.versions.node.split('.').map(Number);
var major = version[0];
var minor = version[1];

if ((major === 24 && minor >= 19) || (major === 26 && minor >= 4) || major > 26) {
  start();
} else {
  process.stderr.write(
    'tnet: Node ' +
      process.versions.node +
      ' is not supported: tnet needs 24.19 or later of Node 24, or 26.4 or later; ' +
      'get one from https://nodejs.org/en/download, or with nvm: nvm install 24\n',
  );
  process.exitCode = 2;
}

/**
 * Runs the parts of the program with the compiled code of earlier runs. Node's own cache holds a file as it is before any
 * of it has run, and the functions that a start uses would be compiled at each one; this one is written at the end of a
 * run, with them. It lies in the same folder, which is for this version of Node and this user alone, under the name of
 * the command and a hash of the text, and is V8's to refuse.
 */
function start() {
  var fs = require('node:fs');
  var vm = require('node:vm');
  var mod = require('node:module');
  mod.enableCompileCache();
  var folder = mod.getCompileCacheDir();
  var dist = require('node:path').join(__dirname, '..', 'dist');
  var command = /^(?:connect|listen|echo|proxy|isip)$/.test(process.argv[2] || '') ? process.argv[2] : 'tnet';
  var parts = {};
  var head = '(function (exports, require, module, __filename, __dirname) {';
  // What the first runs used is not all that a command uses.
  var mostRuns = 4;
  // They are counted in the first byte; V8 wants its data at a multiple of eight.
  var headBytes = 8;

  function ask(name) {
    if (!/^\.\/\w+\.cjs$/.test(name)) return require(name[0] === '.' ? dist + name.slice(1) : name);
    var part = parts[name] || (parts[name] = read(name));
    if (!part.module) {
      part.module = { exports: {} };
      part.script
        .runInThisContext()
        .call(part.module.exports, part.module.exports, ask, part.module, part.file, dist);
    }
    return part.module.exports;
  }

  function read(name) {
    var file = dist + name.slice(1);
    // Its letters are ASCII, and its last ones the hash.
    var text = fs.readFileSync(file, 'latin1');
    var cache = folder && folder + '/tnet-' + command + '-' + text.slice(-17, -1);
    var data;
    try {
      data = cache && fs.readFileSync(cache);
    } catch (error) {
      data = undefined;
    }
    var script = new vm.Script(head + text + '\n})', {
      filename: file,
      columnOffset: -head.length,
      cachedData: data && data.subarray(headBytes),
    });
    if (script.cachedDataRejected) data = undefined;
    return { file: file, script: script, cache: cache, data: data, module: undefined };
  }

  function save() {
    for (var name in parts) {
      var part = parts[name];
      var runs = part.data ? part.data[0] : 0;
      if (!part.cache || runs >= mostRuns) continue;
      var data = part.script.createCachedData();
      // What has not been used for long may have been given up by V8.
      if (part.data && data.length < part.data.length - headBytes) data = part.data.subarray(headBytes);
      var count = Buffer.alloc(headBytes);
      count[0] = runs + 1;
      var fresh = part.cache + '.' + process.pid;
      try {
        fs.writeFileSync(fresh, Buffer.concat([count, data]), { mode: 384 });
        fs.renameSync(fresh, part.cache);
      } catch (error) {
        // A full or read-only file system: the next start compiles anew.
      }
    }
  }

  process.once('exit', save);
  ask('./cli.cjs').main();
}
