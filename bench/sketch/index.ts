// `cairn bench sketch`: boards encoded, written to bytes and read back, on one core. The floor of encoding is measured in the
// same rounds: a bare loop that reads the columns of the board's attributes and adds them up. The peer is the readable
// recursion, which is the oracle of the compiled encoder; no other package makes such sketches.
import { cpus } from 'node:os';
import { CairnError } from 'cairn/errors';
import {
  discover,
  encode,
  fromBytes,
  identify,
  type Obj,
  quantise,
  Sketcher,
  type SketchSpec,
  toBytes,
  truncate,
  unroll,
} from 'cairn/sketch';
import { Rng } from 'cairn/tensor';
import type { BenchReport, BenchRow } from '../report.ts';
import { isLoaded, median, spreadOf } from '../rounds.ts';

export interface SketchBenchOptions {
  readonly quick?: boolean;
  readonly seed?: number;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

const CELLS = 81;

interface Task {
  readonly name: string;
  readonly each: (i: number) => void;
}

/** A board as it was read: 81 one-hot cells below two objects with real attributes. */
function board(rng: Rng): Obj {
  const prior = [50 / 81, ...Array.from({ length: 9 }, () => 31 / 81 / 9)];
  const groups = [{ start: 0, size: 10, prior }];
  const inputs = Array.from({ length: CELLS }, () => {
    const attributes = new Float32Array(10);
    attributes[rng.categorical(prior)] = 1;
    return { object: { module: 'read-digit', attributes, groups }, weight: 1 / CELLS };
  });
  const read = { module: 'read-board', attributes: unit(rng, 4), inputs };
  return { module: 'solve-board', attributes: unit(rng, 6), inputs: [{ object: read, weight: 1 }] };
}

function unit(rng: Rng, size: number): Float32Array {
  const x = Float64Array.from({ length: size }, () => rng.uniform());
  const norm = Math.sqrt(x.reduce((s, v) => s + v * v, 0)) * (1 + 1e-7);
  return Float32Array.from(x, (v) => v / norm);
}

/** The reference scene: four objects of two parts each, all modules different. */
function scene(rng: Rng): Obj[] {
  return [0, 1, 2, 3].map((i) => ({
    module: `object-${i}`,
    attributes: unit(rng, 16),
    inputs: [0, 1].map((j) => ({ object: { module: `part-${i}-${j}`, attributes: unit(rng, 16) }, weight: 0.5 })),
  }));
}

/** Microseconds of processor time per call of every task, one value per round; tasks take turns. */
async function measure(tasks: readonly Task[], rounds: number, ms: number, signal: AbortSignal): Promise<number[][]> {
  const work = (task: Task, least: number): number => {
    const before = process.cpuUsage();
    const start = performance.now();
    let calls = 0;
    do task.each(calls++);
    while (performance.now() - start < least);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / calls;
  };
  for (const task of tasks) work(task, ms);
  const times: number[][] = tasks.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [t, task] of tasks.entries()) {
      signal.throwIfAborted();
      times[t]!.push(work(task, ms));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  return times;
}

/** The least that encoding must do: reads the column of every non-zero attribute once and adds it. */
function bareLoop(columns: Float64Array, dim: number, used: readonly Uint32Array[], out: Float64Array): Task['each'] {
  return (k) => {
    const own = used[k % used.length]!;
    out.fill(0);
    let n = 0;
    for (; n + 7 < own.length; n += 8) {
      const [a, b, c, e] = [own[n]! * dim, own[n + 1]! * dim, own[n + 2]! * dim, own[n + 3]! * dim];
      const [f, g, p, q] = [own[n + 4]! * dim, own[n + 5]! * dim, own[n + 6]! * dim, own[n + 7]! * dim];
      for (let i = 0; i < dim; i++) {
        const left = columns[a + i]! + columns[b + i]! + (columns[c + i]! + columns[e + i]!);
        out[i] = out[i]! + (left + (columns[f + i]! + columns[g + i]! + (columns[p + i]! + columns[q + i]!)));
      }
    }
    for (; n < own.length; n++) for (let i = 0; i < dim; i++) out[i] = out[i]! + columns[own[n]! * dim + i]!;
  };
}

/** Runs all tasks; `quick` takes seconds and its figures are not for quoting. */
export async function run(options: SketchBenchOptions): Promise<BenchReport> {
  const { log, signal } = options;
  const quick = options.quick === true;
  const seed = options.seed ?? 1;
  const loaded = isLoaded();
  const spec: SketchSpec = { dim: 1024, seed: `bench:${seed}`, family: 'hd3', store: 'i8', signatures: false };
  const rng = new Rng(seed).fork('bench/sketch');
  const sketcher = new Sketcher(spec);
  const boards = Array.from({ length: quick ? 20 : 200 }, (_, k) => board(rng.fork(k)));
  const events = boards.map((b) => sketcher.encode(b, { how: 'compiled' }));
  const { structure } = events[0]!;
  const stored = events.map((e) => quantise(e));
  const bytes = stored.map(toBytes);
  const { columns } = sketcher.compiled(structure);
  const used = events.map((e) => Uint32Array.from(e.attributes.keys()).filter((j) => e.attributes[j] !== 0));
  const scenes = Array.from({ length: 8 }, (_, k) =>
    encode(scene(rng.fork('scene').fork(k)), spec, { balance: false }),
  );
  const full = scenes.map((e) => quantise(e, { part: 'full' }));
  const modules = Array.from({ length: 40 }, (_, k) =>
    k < 12 ? [`object-${k % 4}`, `part-${k % 4}-0`, `part-${k % 4}-1`][Math.floor(k / 4)]! : `other-${k}`,
  );
  const pick = <T>(list: readonly T[], i: number): T => list[i % list.length]!;
  const read = (kept: number) => (i: number) => {
    const { outputs } = unroll(truncate(fromBytes(pick(bytes, i), spec), kept), structure);
    const cells = outputs[0]!.inputs[0]!.inputs;
    const own = pick(boards, i).inputs![0]!.object.inputs!;
    if (kept >= 512 && !cells.every((c, j) => own[j]!.object.attributes[c.groups[0]!.chosen] === 1)) {
      throw new CairnError('wrong_answer', 'Expected every cell of a board to come back, got another one.');
    }
  };
  const tasks: Task[] = [
    { name: 'floor', each: bareLoop(columns, spec.dim, used, new Float64Array(spec.dim)) },
    { name: 'encode', each: (i) => void sketcher.encode(pick(boards, i)) },
    { name: 'bytes', each: (i) => void toBytes(quantise(sketcher.encode(pick(boards, i)))) },
    { name: 'recursion', each: (i) => void sketcher.encode(pick(boards, i), { how: 'recursion' }) },
    { name: 'unroll', each: read(1024) },
    { name: 'half', each: read(512) },
    { name: 'quarter', each: read(256) },
    { name: 'solve', each: (i) => void unroll(pick(scenes, i), pick(scenes, i).structure) },
    { name: 'identify', each: (i) => void identify(pick(full, i), modules, 4) },
    ...(quick
      ? []
      : [
          {
            name: 'discover',
            each: (i: number) =>
              void discover(pick(full, i), {
                modules: modules.map((module) => ({ module, size: 16 })),
                positions: [4, 2],
              }),
          },
        ]),
  ];
  log(`sketches of ${CELLS}-cell boards, d = ${spec.dim}, 8 bits, one core`);
  const times = await measure(tasks, quick ? 2 : 5, quick ? 30 : 400, signal);
  const of = (name: string): readonly number[] => times[tasks.findIndex((t) => t.name === name)] ?? [];
  const floor = of('floor');
  const touched = used[0]!.length;
  const rows = [
    rate('board encoded', of('encode'), 'bare loop over the columns', floor),
    rate('board encoded, rounded and written to bytes', of('bytes'), 'bare loop over the columns', floor),
    rate('board encoded', of('encode'), 'the recursion (oracle)', of('recursion')),
    time('board read back from all numbers', of('unroll')),
    time('board read back from a half', of('half')),
    time('board read back from a quarter', of('quarter')),
    time('scene of 12 objects solved', of('solve')),
    time('4 of 40 modules identified', of('identify')),
    ...(quick ? [] : [time('12 objects of unknown structure discovered', of('discover'))]),
  ];
  for (const r of rows) log(`${r.case}: ${r.ours?.toPrecision(3)} ${r.unit}`);
  return {
    name: 'sketch',
    protocol: {
      command: 'cairn bench sketch',
      seed,
      cpu: cpus()[0]?.model ?? 'unknown',
      node: process.version,
      loaded,
      says: 'processor time, median of rounds in which the tasks take turns; ratio = peer time / our time, so 0.5 means half as fast as the floor',
      floor: {
        columns: touched,
        bytes: touched * spec.dim * 8,
        additions: touched * spec.dim,
        microseconds: median(floor),
        gigabytesPerSecond: (touched * spec.dim * 8) / ((median(floor) ?? NaN) * 1000),
      },
    },
    rows,
  };
}

function rate(name: string, ours: readonly number[], peerName: string, peer: readonly number[]): BenchRow {
  const spread = spreadOf(ours.map((t, i) => peer[i]! / t));
  return {
    case: name,
    ours: 1e6 / median(ours)!,
    peer: 1e6 / median(peer)!,
    peerName,
    ratio: spread?.median ?? null,
    unit: 'events/s',
    ...(spread === undefined ? {} : { spread }),
  };
}

function time(name: string, ours: readonly number[]): BenchRow {
  return { case: name, ours: median(ours)! / 1000, peer: null, peerName: 'none', ratio: null, unit: 'ms' };
}
