// What every experiment is given and returns, and how one of several parts is run. Experiments import Cairn as a user would.
import type { Claim, LabOptions, LabReport, Table } from 'cairn/cli';

export type { Axis, Cell, Claim, Columns, Curve, Figure, LabOptions, LabReport, Table } from 'cairn/cli';

/** What one part of an experiment contributes to its report. */
export interface Part {
  readonly claims: readonly Claim[];
  readonly tables: readonly Table[];
}

/** Runs named parts one after another, saying which is at work, and joins them to a report. */
export async function runParts(
  options: LabOptions,
  about: Pick<LabReport, 'slug' | 'paper'>,
  parts: readonly (readonly [name: string, part: () => Part | Promise<Part>])[],
): Promise<LabReport> {
  const { seed, scale, log, signal } = options;
  const start = performance.now();
  const done: Part[] = [];
  for (const [name, part] of parts) {
    signal.throwIfAborted();
    log(name);
    done.push(await part());
    await new Promise((resolve) => setImmediate(resolve));
  }
  return {
    ...about,
    seed,
    scale,
    seconds: (performance.now() - start) / 1000,
    claims: done.flatMap((p) => p.claims),
    tables: done.flatMap((p) => p.tables),
  };
}
