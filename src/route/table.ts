// The evaluation table: what every model got wrong and what it cost on every labelled input. Plain data; how it is
// gathered is the mind's business. Error = 1 - score, both in [0,1].
import { CairnError } from '../errors.ts';

/** Errors, costs and (where known) features and confidences of M models on n inputs. Matrices are row-major. */
export interface EvaluationTable {
  /** [M] ids, all different. */
  readonly models: readonly string[];
  /** Number of inputs n. */
  readonly count: number;
  /** [n, M] errors in [0,1]. */
  readonly error: Float64Array;
  /** [n, M] costs, all in one unit, not negative. */
  readonly cost: Float64Array;
  /** [n, M] the confidence each model gave its own answer, in [0,1]. */
  readonly confidence?: Float64Array;
  /** [n, dim] features of the inputs. */
  readonly features?: Float32Array;
  readonly dim?: number;
}

/**
 * Checks a table and returns it. Reports the first ten faults together.
 * @throws CairnError `bad_table` with every fault in `details.faults`
 * @example
 * validateTable({ models: ['a'], count: 2, error: new Float64Array([0, 1]), cost: new Float64Array([1, 1]) });
 */
export function validateTable(table: EvaluationTable): EvaluationTable {
  const faults: string[] = [];
  const models = table.models.length;
  const cells = table.count * models;
  const say = (text: string): void => {
    if (faults.length < 10) faults.push(text);
  };
  if (models === 0) say('Expected at least one model, got none.');
  if (new Set(table.models).size !== models) say(`Expected different model ids, got ${table.models.join(', ')}.`);
  if (!Number.isInteger(table.count) || table.count < 1) say(`Expected at least one input, got ${table.count}.`);
  const matrix = (name: string, data: Float64Array, high: number): void => {
    if (data.length !== cells)
      return say(`Expected ${name} of ${table.count} x ${models} = ${cells} cells, got ${data.length}.`);
    for (let i = 0; i < data.length; i++) {
      const value = data[i]!;
      if (!(value >= 0 && value <= high)) {
        const where = `row ${Math.floor(i / models)}, model ${table.models[i % models]}`;
        say(`Expected ${name} between 0 and ${high === 1 ? 1 : 'infinity'} in ${where}, got ${value}.`);
      }
    }
  };
  matrix('error', table.error, 1);
  matrix('cost', table.cost, Number.MAX_VALUE);
  if (table.confidence) matrix('confidence', table.confidence, 1);
  if (table.features) {
    const dim = table.dim ?? 0;
    if (dim < 1 || table.features.length !== table.count * dim) {
      say(`Expected features of ${table.count} x ${dim} numbers, got ${table.features.length}.`);
    } else if (!table.features.every(Number.isFinite)) say('Expected finite features, got NaN or infinity.');
  }
  if (faults.length > 0) {
    throw new CairnError('bad_table', faults[0]!, {
      hint: 'Correct the evaluation table; all faults found are in details.faults.',
      details: { faults },
    });
  }
  return table;
}

/** Column means of an [n, columns] matrix, summed in row order. */
export function columnMeans(data: Float64Array, columns: number): Float64Array {
  const means = new Float64Array(columns);
  const rows = data.length / columns;
  for (let i = 0; i < data.length; i++) means[i % columns] = means[i % columns]! + data[i]!;
  for (let m = 0; m < columns; m++) means[m] = means[m]! / rows;
  return means;
}

/** The rows `index` of a table, in that order. */
export function selectRows(table: EvaluationTable, index: ArrayLike<number>): EvaluationTable {
  const models = table.models.length;
  const pick = (data: Float64Array): Float64Array => {
    const out = new Float64Array(index.length * models);
    for (let i = 0; i < index.length; i++)
      out.set(data.subarray(index[i]! * models, (index[i]! + 1) * models), i * models);
    return out;
  };
  const dim = table.dim ?? 0;
  const features = new Float32Array(index.length * dim);
  if (table.features) {
    for (let i = 0; i < index.length; i++) {
      features.set(table.features.subarray(index[i]! * dim, (index[i]! + 1) * dim), i * dim);
    }
  }
  return {
    models: table.models,
    count: index.length,
    error: pick(table.error),
    cost: pick(table.cost),
    ...(table.confidence ? { confidence: pick(table.confidence) } : {}),
    ...(table.features ? { features, dim } : {}),
  };
}
