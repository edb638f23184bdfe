// Checks that imports inside src/ go downward only, that folders are entered through their index, and that no file is too long.
// Prints one line per fault and exits 1 if there is any. Uses no compiler: it reads import specifiers from the text.
import { readdirSync, readFileSync, existsSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const src = join(root, 'src');

/** What each folder may import directly; what those may import is allowed too. */
const direct = {
  tensor: [],
  data: ['tensor'],
  nn: ['tensor', 'data'],
  inspect: ['nn'],
  sketch: ['tensor'],
  memory: ['sketch'],
  online: ['tensor'],
  route: ['tensor', 'data', 'online'],
  reason: ['tensor', 'data', 'nn'],
  learn: ['tensor'],
  grow: ['nn', 'memory', 'learn'],
  mind: ['inspect', 'memory', 'route', 'reason', 'grow'],
  providers: ['mind'],
  serve: ['mind', 'providers'],
  cli: ['serve', 'mind'],
};

function closure(folder, seen = new Set()) {
  for (const next of direct[folder] ?? []) {
    if (!seen.has(next)) {
      seen.add(next);
      closure(next, seen);
    }
  }
  return seen;
}

function* walk(dir) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) yield* walk(path);
    else if (/\.(ts|tsx|mts)$/.test(entry.name)) yield path;
  }
}

const faults = [];
let files = 0;
let edges = 0;
const importPattern =
  /(?:^|[^.\w])(?:import|export)\s[^;'"]*?from\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|^import\s+['"]([^'"]+)['"]/gm;

for (const file of walk(src)) {
  files++;
  const shown = relative(root, file);
  const folder = relative(src, file).split(sep)[0];
  const text = readFileSync(file, 'utf8');
  if (/\.m?ts$/.test(folder)) continue;
  if (!(folder in direct)) {
    faults.push(`${shown}: folder ${folder} is not in the layer table`);
    continue;
  }
  const allowed = closure(folder);
  for (const match of text.matchAll(importPattern)) {
    const specifier = match[1] ?? match[2] ?? match[3];
    if (specifier.startsWith('cairn')) faults.push(`${shown}: imports ${specifier}; inside src/ use a relative path`);
    if (!specifier.startsWith('.')) continue;
    edges++;
    const target = resolve(dirname(file), specifier);
    if (!existsSync(target)) {
      faults.push(`${shown}: imports ${specifier}, which does not exist`);
      continue;
    }
    const inside = relative(src, target).split(sep);
    if (inside[0] === '..') {
      faults.push(`${shown}: imports ${specifier}, outside src/`);
      continue;
    }
    if (inside.length === 1 || inside[0] === folder) continue;
    if (!allowed.has(inside[0])) faults.push(`${shown}: ${folder} may not import ${inside[0]}`);
    else if (inside.slice(1).join('/') !== 'index.ts' && !inside.includes('_testing'))
      faults.push(`${shown}: imports ${inside.join('/')}; use ${inside[0]}/index.ts`);
  }
}

for (const top of ['src', 'lab', 'bench', 'examples', 'test', 'scripts', 'studio']) {
  const dir = join(root, top);
  if (!existsSync(dir)) continue;
  for (const file of walk(dir)) {
    const lines = readFileSync(file, 'utf8').split('\n').length - 1;
    if (lines > 500) faults.push(`${relative(root, file)}: ${lines} lines, the limit is 500`);
  }
}

if (files === 0 || edges === 0) faults.push(`read ${files} files and ${edges} relative imports: the check saw nothing`);
for (const fault of faults) console.error(fault);
console.log(`layers: ${files} files, ${edges} relative imports, ${faults.length} faults`);
process.exit(faults.length ? 1 : 0);
