// Held-out loss of a language model in nats per token: every token is scored once, each with at least half a context
// before it (windows overlap by half; only the later half of a window counts). No sampling, no randomness.
import { crossEntropy, defineProgram, type Executor, type ModelState, type Program } from '../tensor/index.ts';
import { CairnError } from '../errors.ts';
import type { LmConfig } from './lm-config.ts';
import { lmFeeds } from './lm-inputs.ts';
import { transformerForward } from './transformer.ts';

export interface LmEvaluator extends AsyncDisposable {
  /**
   * Mean loss in nats per token over `tokens[1..]`.
   * @param limit largest number of windows, spread evenly; default: all
   */
  loss(tokens: Int32Array, limit?: number): Promise<number>;
  /** Windows that a text of `count` tokens takes. */
  windows(count: number): number;
  dispose(): Promise<void>;
}

interface Window {
  /** Input tokens begin here. */
  readonly start: number;
  /** Targets from this position of the window on are scored. */
  readonly from: number;
  readonly length: number;
}

/** Windows that score each of the tokens 1..count-1 exactly once. */
export function evaluationWindows(count: number, context: number): Window[] {
  const half = Math.max(1, Math.floor(context / 2));
  const windows: Window[] = [];
  let scored = 0;
  while (scored < count - 1) {
    const start = Math.max(0, scored === 0 ? 0 : scored - half);
    const length = Math.min(context, count - 1 - start);
    windows.push({ start, from: scored - start, length });
    scored = start + length;
  }
  return windows;
}

/** Compiles the evaluation of a model whose weights are in `state`. */
export async function createLmEvaluator(
  config: LmConfig,
  state: ModelState,
  executor: Executor,
  batch = 16,
): Promise<LmEvaluator> {
  const context = config.max_position_embeddings;
  const def = defineProgram((b) => {
    const logits = transformerForward(b, config, b.input('x', [batch, context], 'i32'));
    const each = crossEntropy(logits, b.input('y', [batch, context], 'i32'), { reduction: 'none' });
    b.output('total', each.mul(b.input('w', [batch, context])).sum(-1));
  });
  const program: Program = await executor.compile(def, { state });
  const self: LmEvaluator = {
    windows: (count) => evaluationWindows(count, context).length,
    async loss(tokens, limit = Infinity) {
      if (tokens.length < 2)
        throw new CairnError('empty_text', `Expected at least 2 tokens to score, got ${tokens.length}.`);
      const all = evaluationWindows(tokens.length, context);
      const count = Math.min(limit, all.length);
      const chosen = Array.from({ length: count }, (_, i) => all[Math.floor((i * all.length) / count)]!);
      let total = 0;
      let scored = 0;
      for (let at = 0; at < chosen.length; at += batch) {
        const x = new Int32Array(batch * context);
        const y = new Int32Array(batch * context);
        const w = new Float32Array(batch * context);
        chosen.slice(at, at + batch).forEach(({ start, from, length }, row) => {
          x.set(tokens.subarray(start, start + length), row * context);
          y.set(tokens.subarray(start + 1, start + length + 1), row * context);
          w.fill(1, row * context + from, row * context + length);
          scored += length - from;
        });
        const out = await program.run({ x, y, w, ...lmFeeds(config, x, batch) });
        for (const v of out['total']!.data) total += v;
      }
      return total / scored;
    },
    dispose: () => program.dispose(),
    [Symbol.asyncDispose]: () => program.dispose(),
  };
  return self;
}
