#!/usr/bin/env node
// The one binary. Installs what is missing, then runs the command line from source (a clone) or from dist/ (a package).
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { ensureInstalled, root } from './install.mjs';
import { serverFlags } from './server-flags.mjs';

ensureInstalled();
const source = join(root, 'src', 'cli', 'main.ts');
const built = join(root, 'dist', 'cli', 'main.js');
const entry = existsSync(source)
  ? ['--import', import.meta.resolve('tsx'), '--conditions=cairn-source', source]
  : [built];
// `serve` is what runs without a name.
const words = process.argv.slice(2);
const serves = words.includes('serve') || (words[0] ?? '-').startsWith('-');
const flags = ['--enable-source-maps', ...(serves ? serverFlags : [])];
const child = spawn(process.execPath, [...flags, ...entry, ...words], {
  stdio: 'inherit',
  env: { ...process.env, TSX_TSCONFIG_PATH: join(root, 'tsconfig.json') },
});
// Ctrl-C reaches the child through the terminal; a signal sent to this process alone is passed on.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  });
}
child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal ?? 'SIGTERM'] ?? 15)));
