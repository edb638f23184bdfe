// `cairn bench architectures`: training steps of architecture blocks against PyTorch, and decoding against plain ONNX Runtime
// with the exported model, on this machine, in interleaved rounds. Engines start from the same weights and must agree on the
// losses of their first steps, or on the tokens.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type AsrBatch, asrConfig, type AsrConfig, DIGIT_WORDS, lmConfig, type LmConfig } from 'cairn/nn';
import type { BenchOptions, BenchReport, BenchRow } from '../report.ts';
import { type Engine, isLoaded, type Measured, processEngine, runRounds, toRows } from '../rounds.ts';
import { writeAsrWorkload } from './asr-workload.ts';
import { writeDecodeWorkload } from './decode-workload.ts';
import { writeLmWorkload } from './lm-workload.ts';

const here = dirname(fileURLToPath(import.meta.url));

/** One model: writes its workload and says who runs it. The first engine is ours; further kinds of model go beside. */
interface Case {
  readonly name: string;
  readonly about: string;
  readonly unit: 'ms/step' | 'ms/token';
  engines(dir: string, seed: number, threads: number): Engine[];
}

const char64 = { vocab_size: 65, num_hidden_layers: 4, num_attention_heads: 4, max_position_embeddings: 64 };

const decoded = { vocab_size: 65, num_hidden_layers: 4, num_attention_heads: 4, max_position_embeddings: 256 };

const CASES: readonly Case[] = [
  lmCase('altup-64', 'AltUp, 2 streams of width 64', lmConfig({ ...char64, hidden_size: 64, altup_num_inputs: 2 })),
  lmCase('dense-64', 'dense, width 64', lmConfig({ ...char64, hidden_size: 64 })),
  lmCase('altup-128', 'AltUp, 2 streams of width 128', lmConfig({ ...char64, hidden_size: 128, altup_num_inputs: 2 })),
  asrCase(
    'conformer-96',
    'cascaded conformer transducer, three sizes, width 96',
    asrConfig({ vocabulary: DIGIT_WORDS }),
    {
      batch: 16,
      rows: 84,
      labels: 5,
    },
  ),
  decodeCase('decode-64', 'dense, width 64, 128 tokens', lmConfig({ ...decoded, hidden_size: 64 })),
  decodeCase(
    'decode-altup-64',
    'AltUp, 2 streams of width 64, 128 tokens',
    lmConfig({ ...decoded, hidden_size: 64, altup_num_inputs: 2 }),
  ),
  decodeCase('decode-256', 'dense, width 256, 128 tokens', lmConfig({ ...decoded, hidden_size: 256 })),
  decodeCase(
    'decode-altup-256',
    'AltUp, 2 streams of width 256, 128 tokens',
    lmConfig({ ...decoded, hidden_size: 256, altup_num_inputs: 2 }),
  ),
];

/** Measures all cases. About four minutes; `quick` takes one round of the first case. */
export async function run(options: BenchOptions): Promise<BenchReport> {
  const { quick = false, seed = 7, log, signal } = options;
  const threads = Math.min(2, availableParallelism());
  const loaded = isLoaded();
  if (loaded) log('the machine is busy: these figures are not for quoting');
  const dir = mkdtempSync(join(tmpdir(), 'cairn-architectures-'));
  const rounds = quick ? 1 : 7;
  const seconds = quick ? 1 : 2;
  const rows: BenchRow[] = [];
  try {
    for (const c of quick ? CASES.slice(0, 1) : CASES) {
      log(`${c.name}: ${c.about}`);
      const engines = c.engines(join(dir, c.name), seed, threads);
      rows.push(...checked(c, await runRounds({ engines, rounds, seconds, log, signal }), log));
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return {
    name: 'architectures',
    protocol: {
      what:
        'forward, backward, clipping and AdamW, f32; character models: 4 layers, RoPE, RMS norms, GELU x4, batch 16, context 64; ' +
        'conformer: 4 causal layers with a funnel and 2 with look-ahead, 16 utterances of 84 rows and up to 5 labels, exact HAT loss of all sizes',
      how: 'one process per engine, warmed up; rounds A B A B ...; ratio per round; median, least and greatest',
      ratio: 'peer time / our time',
      rounds,
      seconds,
      threads,
      seed,
      loaded,
      cpu: cpus()[0]?.model ?? 'unknown',
      cores: availableParallelism(),
      node: process.version,
      command: 'cairn bench architectures',
    },
    rows,
  };
}

function lmCase(name: string, about: string, config: LmConfig): Case {
  return {
    name,
    about,
    unit: 'ms/step',
    engines(dir, seed, threads) {
      writeLmWorkload(dir, config, 16, config.max_position_embeddings, seed);
      const count = String(threads);
      return [
        processEngine({
          name: 'cairn',
          command: process.execPath,
          args: ['--import', 'tsx', '--conditions=cairn-source', join(here, 'ours-lm.ts'), dir, count],
        }),
        torchEngine(join(here, 'peer_torch_lm.py'), dir, count),
      ];
    },
  };
}

function asrCase(name: string, about: string, config: AsrConfig, shape: AsrBatch): Case {
  return {
    name,
    about,
    unit: 'ms/step',
    engines(dir, seed, threads) {
      writeAsrWorkload(dir, config, shape, seed);
      const count = String(threads);
      return [
        processEngine({
          name: 'cairn',
          command: process.execPath,
          args: ['--import', 'tsx', '--conditions=cairn-source', join(here, 'ours-asr.ts'), dir, count],
        }),
        torchEngine(join(here, 'peer_torch_asr.py'), dir, count),
      ];
    },
  };
}

function decodeCase(name: string, about: string, config: LmConfig): Case {
  return {
    name,
    about,
    unit: 'ms/token',
    engines(dir, seed) {
      writeDecodeWorkload(dir, config, seed);
      const engine = (label: string, script: string, ...more: string[]): Engine =>
        processEngine({
          name: label,
          command: process.execPath,
          args: ['--import', 'tsx', '--conditions=cairn-source', join(here, script), dir, ...more],
        });
      return [
        engine('cairn', 'ours-decode.ts'),
        engine('plain ONNX Runtime', 'peer-ort-decode.ts', '0'),
        engine('plain ONNX Runtime', 'peer-ort-decode.ts', '1'),
      ];
    },
  };
}

/** The system's Python first: version managers shadow it, and distributions install torch there. */
export function torchEngine(script: string, dir: string, threads: string): Engine {
  const python = process.env['CAIRN_PYTHON'] ?? (existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3');
  return processEngine({
    name: 'PyTorch',
    command: python,
    args: [script, dir, threads],
    env: { OMP_WAIT_POLICY: 'PASSIVE', OMP_NUM_THREADS: threads, OPENBLAS_NUM_THREADS: threads },
  });
}

/** Rows of a case, without a ratio where losses of the first steps differ from ours. */
function checked(c: Case, measured: readonly Measured[], log: (line: string) => void): BenchRow[] {
  const own = measured[0]!.info?.check ?? [];
  const what = c.unit === 'ms/step' ? 'losses' : 'tokens';
  return toRows(c.name, c.unit, measured).map((row, i) => {
    const losses = measured[i + 1]!.info?.check ?? [];
    const worst = Math.max(0, ...losses.map((loss, k) => Math.abs(loss - own[k]!) / own[k]!));
    if (worst <= 1e-3) return row;
    log(`${row.peerName}: ${what} differ by ${worst.toExponential(1)}, not the same work`);
    return { ...row, ratio: null, note: `${what} differ by ${worst.toExponential(1)}` };
  });
}
