// The conformance suite of executors: every op of the table on random shapes, outputs and gradients against the f64
// reference. It knows no test runner: a case throws when it fails. Executors and `test/` iterate over the cases.
import { CairnError } from '../errors.ts';
import { defineProgram } from './builder.ts';
import { allocate, type Dtype, isFloat } from './dtype.ts';
import type { Executor, HostTensor } from './executor.ts';
import { vjp } from './grad.ts';
import type { ProgramDef } from './graph.ts';
import type { OpRecord, OpSample } from './op.ts';
import { opTable } from './ops/table.ts';
import { interpret } from './reference.ts';
import type { Rng } from './rng.ts';
import { sameShape, shapeText, sizeOf } from './shape.ts';

export interface ConformanceOptions {
  readonly rng: Rng;
  /** Default both. Leave out what the executor cannot do. */
  readonly dtypes?: readonly ('f32' | 'f64')[];
  /** At least this many random uses per op and dtype. Default 20. */
  readonly samples?: number;
  /** Ops to leave out, by name. */
  readonly skip?: readonly string[];
  /** Allowed f32 difference as a share of the largest number, by op. Default 1e-5. */
  readonly tolerance?: Readonly<Record<string, number>>;
}

export interface ConformanceCase {
  /** `matmul f32` */
  readonly name: string;
  readonly op: string;
  readonly dtype: 'f32' | 'f64';
  /** Throws CairnError `not_conformant` with the op, the shapes and the first difference. */
  run(executor: Executor): Promise<void>;
}

/**
 * One case per op and dtype. Floats must agree within 1e-5 (f32) or 1e-11 (f64) of the largest number that enters or
 * leaves a sample.
 *
 * @example
 * for (const c of conformanceCases({ rng: new Rng(1) })) await c.run(createReferenceExecutor());
 */
export function conformanceCases(options: ConformanceOptions): ConformanceCase[] {
  const { rng, dtypes = ['f32', 'f64'], samples = 20, skip = [], tolerance = {} } = options;
  const cases: ConformanceCase[] = [];
  for (const record of opTable.values()) {
    if (!record.samples || skip.includes(record.name)) continue;
    for (const dtype of dtypes) {
      const own = rng.fork(record.name).fork(dtype);
      cases.push({
        name: `${record.name} ${dtype}`,
        op: record.name,
        dtype,
        run: async (executor) => {
          for (const [i, sample] of drawSamples(record, own, dtype, samples).entries()) {
            await runSample(
              executor,
              record,
              sample,
              dtype,
              own.fork(i),
              dtype === 'f32' ? (tolerance[record.name] ?? 1e-5) : 1e-11,
            );
          }
        },
      });
    }
  }
  return cases;
}

/** At least `count` samples of an op. */
export function drawSamples(record: OpRecord, rng: Rng, dtype: 'f32' | 'f64', count: number): OpSample[] {
  const out: OpSample[] = [];
  for (let round = 0; record.samples && out.length < count; round++) {
    const more = record.samples(rng.fork(`round ${round}`), dtype);
    if (more.length === 0) break;
    out.push(...more);
  }
  return out;
}

/** The numbers of a sample. */
export function sampleInputs(sample: OpSample, dtype: 'f32' | 'f64', rng: Rng): HostTensor[] {
  return sample.inputs.map((x) => {
    const type: Dtype = x.dtype ?? dtype;
    const [low, high] = [x.low ?? -1, x.high ?? 1];
    const data = allocate(type, sizeOf(x.shape));
    for (let i = 0; i < data.length; i++) {
      const u = low + (high - low) * rng.uniform();
      data[i] = x.data ? x.data[i]! : isFloat(type) ? u : Math.floor(u);
    }
    return { data, shape: x.shape, dtype: type };
  });
}

/** A program with the outputs `y0, ...` of one op and, for fed cotangents `g0, ...`, the gradients `d0, ...`. */
function sampleProgram(
  record: OpRecord,
  sample: OpSample,
  inputs: readonly HostTensor[],
  dtype: 'f32' | 'f64',
): ProgramDef {
  return defineProgram(
    (b) => {
      const xs = inputs.map((x, i) => b.input(`x${i}`, x.shape, x.dtype));
      const ys = b.apply(record, xs, sample.attrs ?? {});
      ys.forEach((y, i) => b.output(`y${i}`, y));
      const floats = xs.filter((x) => isFloat(x.dtype));
      const outs = ys.filter((y) => isFloat(y.dtype));
      if (!record.vjp || sample.gradient === false || floats.length === 0 || outs.length === 0) return;
      const cotangents = outs.map((y, i) => b.input(`g${i}`, y.shape, y.dtype));
      vjp(outs, cotangents, floats).forEach((d, i) => b.output(`d${i}`, d));
    },
    { dtype },
  );
}

async function runSample(
  executor: Executor,
  record: OpRecord,
  sample: OpSample,
  dtype: 'f32' | 'f64',
  rng: Rng,
  tolerance: number,
): Promise<void> {
  const inputs = sampleInputs(sample, dtype, rng);
  const def = sampleProgram(record, sample, inputs, dtype);
  const feeds: Record<string, HostTensor> = Object.fromEntries(inputs.map((x, i) => [`x${i}`, x]));
  for (const { name, node } of def.graph.inputs) {
    if (!name.startsWith('g')) continue;
    const { shape } = def.graph.nodes[node]!.outputs[0]!;
    feeds[name] = sampleInputs({ inputs: [{ shape }] }, dtype, rng.fork(name))[0]!;
  }
  const expected = interpret(def, feeds, undefined, 'f64').outputs;
  const what = `${record.name} ${inputs.map((x) => x.dtype + shapeText(x.shape)).join(' ')} ${JSON.stringify(sample.attrs ?? {})}`;
  let actual: Record<string, HostTensor>;
  try {
    await using program = await executor.compile(def);
    actual = await program.run(feeds);
  } catch (cause) {
    throw new CairnError('not_conformant', `Expected ${what} to run on ${executor.id}, got ${String(cause)}.`, {
      cause,
    });
  }
  let scale = 1e-3;
  for (const { data, dtype: type } of [...Object.values(feeds), ...Object.values(expected)]) {
    if (isFloat(type)) for (const v of data) scale = Math.max(scale, Math.abs(v));
  }
  for (const [name, value] of Object.entries(expected)) {
    compareTensors(`${what}, ${name}`, actual[name], value, tolerance * scale);
  }
}

/** Throws unless two results agree: integers and bools exactly, floats within `tolerance`. */
export function compareTensors(
  what: string,
  actual: HostTensor | undefined,
  expected: HostTensor,
  tolerance: number,
): void {
  if (!actual || actual.dtype !== expected.dtype || !sameShape(actual.shape, expected.shape)) {
    const got = actual ? actual.dtype + shapeText(actual.shape) : 'nothing';
    throw new CairnError(
      'not_conformant',
      `Expected ${expected.dtype}${shapeText(expected.shape)} for ${what}, got ${got}.`,
    );
  }
  const allowed = isFloat(expected.dtype) ? tolerance : 0;
  for (let i = 0; i < expected.data.length; i++) {
    const [a, e] = [actual.data[i]!, expected.data[i]!];
    if (Object.is(a, e) || Math.abs(a - e) <= allowed) continue;
    throw new CairnError('not_conformant', `Expected ${e} at ${i} of ${what}, got ${a}.`);
  }
}
