// `npm run check`: types, lint, format and layers; everything that can be said without running the code.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ensureInstalled, root } from './install.mjs';

ensureInstalled();
const bin = (name) => join(root, 'node_modules', '.bin', name);
const steps = [
  ['types', bin('tsc'), ['-p', '.']],
  ...(existsSync(join(root, 'studio', 'tsconfig.json')) ? [['types of the studio', bin('tsc'), ['-p', 'studio']]] : []),
  ['lint', bin('oxlint'), ['--deny-warnings']],
  ['format', bin('oxfmt'), ['--check', '.']],
  ['layers', process.execPath, [join(root, 'scripts', 'layers.mjs')]],
];
let failed = 0;
for (const [name, command, args] of steps) {
  const done = spawnSync(command, args, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' });
  console.log(`check: ${name} ${done.status === 0 ? 'ok' : 'FAILED'}`);
  if (done.status !== 0) failed++;
}
process.exit(failed ? 1 : 0);
