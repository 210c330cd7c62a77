#!/usr/bin/env node
'use strict'

// Plain old syntax on purpose: a Node that is far too old must still read this file and say its one line.
var needed = [24, 15, 0]
var found = process.versions.node.split('.').map(Number)

function isOlder() {
  for (var i = 0; i < needed.length; i += 1) {
    if (found[i] !== needed[i]) return found[i] < needed[i]
  }
  return false
}

function start() {
  var main = require('node:path').join(__dirname, '..', 'dist', 'cli', 'main.js')
  if (!require('node:fs').existsSync(main)) {
    console.error('skein is not built here: run npm run build')
    process.exitCode = 1
    return
  }
  require(main)
    .main(process.argv.slice(2))
    .then(function (code) {
      process.exitCode = code
    })
}

if (isOlder()) {
  console.error('skein needs Node >= ' + needed.join('.') + ', found ' + process.version)
  process.exitCode = 1
} else {
  start()
}
