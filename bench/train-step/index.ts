// `cairn bench train-step`: one training step of two small GPTs against PyTorch, jax-js and tfjs on this machine, in
// interleaved rounds. Engines start from the same weights and must agree on the losses of their first steps.
import { build } from 'esbuild';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BenchOptions, BenchReport, BenchRow } from '../report.ts';
import { type Engine, isLoaded, type Measured, processEngine, runRounds, toRows } from '../rounds.ts';
import { cases, type GptCase, WARMUP, writeWorkload } from './workload.ts';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);

/** Measures all engines on both cases. About five minutes; `quick` takes one round of one case. */
export async function run(options: BenchOptions): Promise<BenchReport> {
  const { quick = false, seed = 7, log, signal } = options;
  const threads = Math.min(2, availableParallelism());
  const loaded = isLoaded();
  if (loaded) log('the machine is busy: these figures are not for quoting');
  const dir = mkdtempSync(join(tmpdir(), 'cairn-train-step-'));
  const rounds = quick ? 1 : 5;
  const seconds = quick ? 1 : 3;
  const rows: BenchRow[] = [];
  const ours: Record<string, unknown> = {};
  try {
    const tfjs = await bundleTfjs(dir);
    for (const c of quick ? [cases.small] : [cases.small, cases.big]) {
      log(`${c.name}: dim ${c.dim}, ${c.layers} layers, context ${c.length}, batch ${c.batch}`);
      const folders = { full: join(dir, c.name), short: join(dir, `${c.name}-short`) };
      writeWorkload(folders.full, c, seed);
      writeWorkload(folders.short, c, seed, 2); // for peers whose step takes many seconds
      const engines = enginesFor(c, folders, threads, tfjs);
      const measured = await runRounds({ engines, rounds, seconds, log, signal });
      rows.push(...checked(c, measured, log));
      ours[c.name] = { startupMs: measured[0]!.info?.startup, rssMiB: measured[0]!.rssMiB };
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return {
    name: 'train-step',
    protocol: {
      what: 'forward, backward and AdamW of a GPT (pre-norm, GELU x4, learned positions, untied head, vocab 64, 4 heads, f32)',
      how: 'one process per engine, warmed up; rounds A B C ...; ratio per round; median, least and greatest',
      ratio: 'peer time / our time',
      rounds,
      seconds,
      threads,
      warmup: WARMUP,
      seed,
      ours,
      loaded,
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: availableParallelism(),
      node: process.version,
      command: 'cairn bench train-step',
    },
    rows,
  };
}

function enginesFor(
  c: GptCase,
  folders: { readonly full: string; readonly short: string },
  threads: number,
  tfjs: string,
): Engine[] {
  const node = ['--import', 'tsx', '--conditions=cairn-source'];
  const count = String(threads);
  const script = (name: string): string => join(here, name);
  return [
    processEngine({
      name: 'cairn',
      command: process.execPath,
      args: [...node, script('ours.ts'), folders.full, count],
    }),
    processEngine({
      name: 'PyTorch',
      command: pythonWithTorch(),
      args: [script('peer_torch.py'), folders.full, count],
      env: { OMP_WAIT_POLICY: 'PASSIVE', OMP_NUM_THREADS: count, OPENBLAS_NUM_THREADS: count },
    }),
    processEngine({
      name: 'jax-js',
      command: process.execPath,
      args: ['--import', script('web-workers.mjs'), ...node, script('peer-jax.ts'), folders.full, count],
      env: { BENCH_THREADS: count },
    }),
    processEngine({
      name: 'tfjs',
      command: process.execPath,
      args: [tfjs, folders.short, count, join(packageDir('@tensorflow/tfjs-backend-wasm'), 'dist')],
      maxRounds: c.name === 'big' ? 1 : 3,
      startSeconds: 240,
    }),
  ];
}

/** The system's Python first: version managers shadow it, and distributions install torch there. */
function pythonWithTorch(): string {
  return process.env['CAIRN_PYTHON'] ?? (existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3');
}

/** The folder of an installed package, or the package's name when it is missing (the engine then says so). */
function packageDir(name: string): string {
  try {
    return dirname(require.resolve(`${name}/package.json`));
  } catch {
    return name;
  }
}

/** One file that Node can run; a text that fails with the reason when tfjs is not installed. */
async function bundleTfjs(dir: string): Promise<string> {
  const outfile = join(dir, 'peer-tfjs.cjs');
  try {
    await build({
      entryPoints: [join(here, 'peer-tfjs.ts')],
      bundle: true,
      platform: 'node',
      format: 'cjs',
      mainFields: ['module', 'main'],
      conditions: ['cairn-source'],
      external: ['onnxruntime-node'],
      outfile,
      logLevel: 'silent',
    });
    return outfile;
  } catch {
    return join(dir, 'tfjs-is-not-installed.cjs');
  }
}

/** Rows of a case, with a note where losses of the first steps differ from ours. */
function checked(c: GptCase, measured: readonly Measured[], log: (line: string) => void): BenchRow[] {
  const own = measured[0]!.info?.check ?? [];
  return toRows(c.name, 'ms/step', measured).map((row, i) => {
    const losses = measured[i + 1]!.info?.check ?? [];
    const worst = Math.max(0, ...losses.map((loss, k) => Math.abs(loss - own[k]!) / own[k]!));
    if (worst <= 1e-3) return row;
    log(`${row.peerName}: losses differ by ${worst.toExponential(1)}, not the same work`);
    return { ...row, ratio: null, note: `losses differ by ${worst.toExponential(1)}` };
  });
}
