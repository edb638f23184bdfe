// Finds and loads the experiments of lab/ and the benchmarks of bench/: they live beside src/ and import Cairn as a user would.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CairnError } from '../errors.ts';
import { nearest } from './command.ts';

/** Names of what `dir` offers: `x.ts` with or without a test beside it, or `x/index.ts`. */
export function listExtensions(dir: string): string[] {
  if (!existsSync(dir)) return [];
  const names = readdirSync(dir).flatMap((entry) => {
    const path = join(dir, entry);
    if (statSync(path).isDirectory()) return existsSync(join(path, 'index.ts')) ? [entry] : [];
    const match = /^([a-z0-9-]+)\.ts$/.exec(entry);
    return match && !['report', 'rounds', 'index'].includes(match[1]!) ? [match[1]!] : [];
  });
  return names.sort();
}

/** Loads `run` of the extension `name`. Throws `unknown_<kind>` with the nearest name. */
export async function loadRun<Options, Report>(
  dir: string,
  kind: 'lab' | 'bench',
  name: string,
): Promise<(options: Options) => Promise<Report>> {
  const known = listExtensions(dir);
  if (!known.includes(name)) {
    const near = nearest(name, known);
    throw new CairnError(
      'usage',
      `Expected one of ${known.join(', ') || 'no name at all'} for \`cairn ${kind}\`, got "${name}".`,
      {
        hint: near ? `Did you mean "${near}"?` : `Run \`cairn ${kind}\` to list them.`,
      },
    );
  }
  const file = existsSync(join(dir, `${name}.ts`)) ? join(dir, `${name}.ts`) : join(dir, name, 'index.ts');
  const module = (await import(pathToFileURL(file).href)) as { run?: (options: Options) => Promise<Report> };
  if (typeof module.run !== 'function') {
    throw new CairnError('broken_extension', `Expected ${kind}/${name} to export a function run, got none.`);
  }
  return module.run;
}
