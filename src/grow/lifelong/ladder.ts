// From small to large: fits every class of models that is worth trying on these samples and lets the description length
// choose. A larger class is only tried when the smaller ones leave errors.
import type { Rng } from '../../tensor/index.ts';
import type { Candidates } from './candidates.ts';
import { classSize, type Fit, logHypotheses, modelBits } from './fit.ts';
import type { Model, TargetKind } from './model.ts';
import { fitNetwork } from './network.ts';
import { isHeldOut, type Samples } from './samples.ts';
import { fitSparse, missBits } from './sparse.ts';
import { fitTables } from './truth-tables.ts';

export interface LadderOptions {
  /** Numbers count as met within this distance. */
  readonly tolerance: number;
  /** Errors above this share make the next larger class worth a try. */
  readonly epsilon: number;
  readonly rng: Rng;
  /** Whether small networks may be trained. */
  readonly networks: boolean;
}

/** The fit with the shortest description of model and errors; undefined without samples. */
export function fitLadder(
  samples: Samples,
  candidates: Candidates,
  kind: TargetKind,
  options: LadderOptions,
): Fit | undefined {
  const { tolerance, epsilon, rng, networks } = options;
  if (samples.count === 0) return undefined;
  const fits =
    kind === 'boolean'
      ? fitTables(samples, candidates.references, candidates.pairable)
      : fitNumbers(samples, candidates, tolerance);
  if (fits.every((f) => f.errors > 0) && samples.count >= 24) {
    const sparse = fitSparse(samples, candidates.references, kind, { tolerance });
    if (sparse !== undefined) fits.push(sparse);
  }
  if (networks && samples.count >= 256 && fits.every((f) => f.errors > 0.5 * epsilon * f.judged)) {
    const network = fitNetwork(samples, candidates.references, kind, { tolerance, rng: rng.fork(samples.count) });
    if (network !== undefined) fits.push(network);
  }
  return fits.reduce<Fit | undefined>((best, f) => (best === undefined || f.bits < best.bits ? f : best), undefined);
}

/** Constants and copies for targets that are numbers. */
function fitNumbers(samples: Samples, { references }: Candidates, tolerance: number): Fit[] {
  const n = samples.count;
  const misses = (model: Model, valueAt: (i: number) => number): Fit => {
    let [all, judged, errors] = [0, 0, 0];
    const real = model.kind === 'constant';
    for (let i = 0; i < n; i++) {
      const wrong = Math.abs(valueAt(i) - samples.targets[i]!) > tolerance;
      if (wrong) all++;
      if (real && !isHeldOut(i)) continue;
      judged++;
      if (wrong) errors++;
    }
    const size = real ? 1 : classSize('copy', references.length);
    return {
      model,
      judged,
      errors,
      bits: modelBits(model.kind, size) + (real ? 32 : 0) + missBits(n, all, 'number'),
      logHypotheses: real ? undefined : logHypotheses('copy', size),
    };
  };
  const train = samples.targets.filter((_, i) => !isHeldOut(i)).sort((a, b) => a - b);
  const median = train[train.length >> 1]!;
  const fits = [misses({ kind: 'constant', value: median }, () => median)];
  let best: Fit | undefined;
  for (const input of references) {
    const column = samples.column(input);
    const fit = misses({ kind: 'copy', input, negate: false }, (i) => column[i]!);
    if (best === undefined || fit.errors < best.errors) best = fit;
  }
  if (best !== undefined) fits.push(best);
  return fits;
}

/** Share of samples a fit gets wrong, never quite 0 or 1: what a prediction may claim. */
export function errorRate(fit: { readonly judged: number; readonly errors: number }): number {
  return (fit.errors + 0.5) / (fit.judged + 1);
}
