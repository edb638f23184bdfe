// ONNX Runtime for browsers: WebAssembly (with threads where the page is isolated from other origins) or WebGPU. The runtime's
// script is the caller's to import, so that no bundle has it unasked: 'onnxruntime-web/wasm' or 'onnxruntime-web/webgpu'.
import type { Env } from 'onnxruntime-web';
import { CairnError } from '../errors.ts';
import { graphsFor, OrtExecutor, type OrtRuntime } from './ort.ts';
import type { CacheEvent } from './program.ts';

export interface OrtWebOptions {
  /** Default 'wasm'. 'webgpu' needs the script 'onnxruntime-web/webgpu'. */
  readonly provider?: 'wasm' | 'webgpu';
  /** Threads of WebAssembly. Default: `min(cores, 4)` where the page may share memory, else 1. */
  readonly threads?: number;
  /** Where the files `ort-wasm-*.{mjs,wasm}` are served, ending with a slash. Default: beside the script. */
  readonly wasmPaths?: string;
  /** Compiled models kept, in use or not. Default 32. */
  readonly cacheSize?: number;
  readonly log?: (event: CacheEvent) => void;
}

/**
 * An executor over a runtime that was imported.
 *
 * @throws CairnError `no_webgpu` when the browser has no adapter
 * @example
 * import * as ort from 'onnxruntime-web/wasm';
 * const executor = await createOrtWebExecutor(ort, { wasmPaths: '/ort/' });
 */
export async function createOrtWebExecutor(
  ort: OrtRuntime & { readonly env: Env },
  options: OrtWebOptions = {},
): Promise<OrtExecutor> {
  const { provider = 'wasm' } = options;
  const threads = options.threads ?? usualThreads();
  if (provider === 'webgpu') await expectAdapter();
  ort.env.wasm.numThreads = threads;
  if (options.wasmPaths !== undefined) ort.env.wasm.wasmPaths = options.wasmPaths;
  const { target, optimization } = graphsFor(provider);
  return new OrtExecutor(ort, {
    id: `ort-web-${provider}-${threads}`,
    threads,
    target,
    writesInto: false,
    ...(options.cacheSize === undefined ? {} : { cacheSize: options.cacheSize }),
    ...(options.log === undefined ? {} : { log: options.log }),
    session: {
      executionProviders: [provider],
      graphOptimizationLevel: 'all',
      logSeverityLevel: 4,
      extra: { optimization },
    },
  });
}

interface Place {
  readonly crossOriginIsolated?: boolean;
  readonly navigator?: {
    readonly hardwareConcurrency?: number;
    readonly gpu?: { requestAdapter(): Promise<object | null> };
  };
}

function usualThreads(): number {
  const { crossOriginIsolated = false, navigator } = globalThis as Place;
  return crossOriginIsolated ? Math.max(1, Math.min(navigator?.hardwareConcurrency ?? 1, 4)) : 1;
}

async function expectAdapter(): Promise<void> {
  const adapter = await (globalThis as Place).navigator?.gpu?.requestAdapter();
  if (adapter) return;
  throw new CairnError('no_webgpu', 'Expected a WebGPU adapter, got none.', {
    hint: 'Use a browser with WebGPU switched on, or the provider wasm.',
  });
}
