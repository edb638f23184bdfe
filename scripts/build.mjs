// `npm run build`: dist/ as it is published: JavaScript and types of src/, and the studio's files.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ensureInstalled, root } from './install.mjs';

ensureInstalled();
rmSync(join(root, 'dist'), { recursive: true, force: true });
const done = spawnSync(join(root, 'node_modules', '.bin', 'tsc'), ['-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
  shell: process.platform === 'win32',
});
if (done.status !== 0) process.exit(done.status ?? 1);
// Plain JavaScript that worker threads load as it stands, and its types.
cpSync(join(root, 'src'), join(root, 'dist'), {
  recursive: true,
  filter: (path) => statSync(path).isDirectory() || /\.mjs$|\.d\.mts$/.test(path),
});
const studio = join(root, 'studio', 'build.mjs');
if (existsSync(studio)) {
  const { buildStudio } = await import(studio);
  await buildStudio(join(root, 'dist', 'studio'));
}
console.log('build: dist/ is ready');
