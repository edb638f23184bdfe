// ONNX Runtime for Node: the CPU, or a GPU through WebGPU. Loads the package with the first executor.
import type * as Ort from 'onnxruntime-node';
import { CairnError } from '../errors.ts';
import { graphsFor, OrtExecutor } from './ort.ts';
import type { CacheEvent } from './program.ts';

export interface OrtExecutorOptions {
  /** Where graphs run. Default 'cpu'; 'webgpu' needs a graphics adapter (a software one will do). */
  readonly provider?: 'cpu' | 'webgpu';
  /** Threads inside an operator. Default: `min(cores, 8)`. */
  readonly threads?: number;
  /**
   * Microseconds a worker thread waits actively for the next operator of a run before it sleeps. Longer is no faster on a
   * quiet machine and wasteful when cores are shared. Default 100; 0 sleeps at once.
   */
  readonly spinMicroseconds?: number;
  /** Compiled models kept, in use or not. Default 32. */
  readonly cacheSize?: number;
  /** Hears of compilations, evictions and of call sites with too many shapes. */
  readonly log?: (event: CacheEvent) => void;
  /** Writes a profile (`<prefix>_<time>.json`) per model, for `chrome://tracing`. */
  readonly profilePrefix?: string;
}

/**
 * Loads ONNX Runtime and returns an executor.
 *
 * @throws CairnError `missing_package` when onnxruntime-node is not installed
 * @example
 * await using executor = await createOrtExecutor({ threads: 2 });
 * const program = await executor.compile(def, { state });
 * const { loss } = await program.run({ x, y, lr: 1e-3 });
 */
export async function createOrtExecutor(options: OrtExecutorOptions = {}): Promise<OrtExecutor> {
  const ort = await loadOrt();
  const { availableParallelism } = await import('node:os');
  const { provider = 'cpu', threads = Math.min(availableParallelism(), 8) } = options;
  const spin = threads > 1 ? Math.round(options.spinMicroseconds ?? 100) : 0;
  const { target, optimization } = graphsFor(provider);
  return new OrtExecutor(ort, {
    id: `ort-node-${provider}-${threads}`,
    threads,
    target,
    writesInto: provider === 'cpu',
    ...(options.cacheSize === undefined ? {} : { cacheSize: options.cacheSize }),
    ...(options.log === undefined ? {} : { log: options.log }),
    session: {
      executionProviders: [provider],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
      logSeverityLevel: 4,
      ...(options.profilePrefix === undefined
        ? {}
        : { enableProfiling: true, profileFilePrefix: options.profilePrefix }),
      extra: {
        session: {
          intra_op: spin > 0 ? { allow_spinning: '1', spin_duration_us: String(spin) } : { allow_spinning: '0' },
          force_spinning_stop: '1',
        },
        optimization,
      },
    },
  });
}

async function loadOrt(): Promise<typeof Ort> {
  try {
    const module = await import('onnxruntime-node');
    return 'default' in module ? (module.default as typeof Ort) : module;
  } catch (cause) {
    throw new CairnError('missing_package', 'Expected onnxruntime-node, which is not installed or does not load.', {
      hint: 'Run `npm i onnxruntime-node@1.30.0` or use the reference executor.',
      cause,
    });
  }
}
