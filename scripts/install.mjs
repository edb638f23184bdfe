// Installs what package-lock.json names when it is not installed yet. Plain JavaScript without dependencies: it runs on a bare clone.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** Throws with a clear text when this Node is too old. */
export function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 20)) {
    fail(`Expected Node 20.20 or newer, got ${process.versions.node}. Install a current Node LTS and try again.`);
  }
}

export function fail(text) {
  process.stderr.write(`cairn: ${text}\n`);
  process.exit(1);
}

/** Runs `npm ci` unless node_modules already matches the lock file. Output goes to stderr. */
export function ensureInstalled() {
  requireNode();
  const lock = join(root, 'package-lock.json');
  if (!existsSync(lock)) return; // an installed package: npm has done it
  const wanted = createHash('sha256').update(readFileSync(lock)).digest('hex');
  const mark = join(root, 'node_modules', '.cairn-lock-sha256');
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return;
  process.stderr.write('cairn: installing packages (once, about half a minute) ...\n');
  const done = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  if (done.error) fail(`Expected to run npm, got ${done.error.message}. Install npm and try again.`);
  if (done.status !== 0)
    fail(`Expected npm ci to succeed, got exit code ${done.status}. Read its output above, then try again.`);
  writeFileSync(mark, wanted);
}
