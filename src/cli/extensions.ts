// Finds and loads the experiments of lab/ and the benchmarks of bench/: they live beside src/ and import Cairn as a user would.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CairnError } from '../errors.ts';
import { nearest } from './command.ts';
import type { Cell } from './table.ts';

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

export interface Claim {
  readonly id: string;
  readonly says: string;
  readonly kind: 'identity' | 'measured' | 'bound';
  readonly value: number | string | boolean | null;
  readonly baseline?: number | string | null;
  readonly target: string;
  readonly holds: boolean;
}

export interface LabReport {
  readonly slug: string;
  readonly paper: { readonly title: string; readonly arxiv: string };
  readonly seed: number;
  readonly scale: 'ci' | 'full';
  readonly seconds: number;
  readonly claims: readonly Claim[];
  readonly tables: readonly Table[];
  readonly plots: readonly string[];
}

export interface BenchRow {
  readonly case: string;
  readonly ours: number | null;
  readonly peer: number | null;
  readonly peerName: string;
  readonly ratio: number | null;
  readonly unit: string;
}

export interface BenchReport {
  readonly name: string;
  readonly protocol: string | Readonly<Record<string, unknown>>;
  readonly rows: readonly BenchRow[];
}

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
