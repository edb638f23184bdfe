// Memory tables in the language model: what a config's table adds to the output of a layer, from the layer's input.
import type { Builder, Tensor } from '../tensor/index.ts';
import type { LmCall } from './lm-call.ts';
import type { LmConfig } from './lm-config.ts';
import { type MemoryTable, type NgramHash, readMemory } from './memory-tables/index.ts';

/** Name of the host-computed rows of n-grams. */
export const NGRAM_INPUT = 'memory.ngram';

/** The table of a layer, if it has one. */
export function memoryOf(c: LmConfig, layer: number): MemoryTable | undefined {
  if (c.memory_lookup === undefined || c.memory_layers?.includes(layer) === false) return undefined;
  const product = c.memory_lookup === 'product';
  return {
    lookup: c.memory_lookup,
    consume: c.memory_consume ?? 'add',
    width: c.hidden_size,
    entries: c.memory_entries ?? c.vocab_size,
    reads: c.memory_reads ?? (product ? 4 : 1),
    ...(c.memory_combine === undefined ? {} : { combine: c.memory_combine }),
    rank: c.memory_rank ?? 8,
    gate: c.memory_gate ?? false,
  };
}

/** The n-gram hash that the host computes for a config, if it has one. */
export function ngramOf(c: LmConfig): NgramHash | undefined {
  if (c.memory_lookup !== 'ngram') return undefined;
  return { ngram: c.memory_ngram ?? 2, entries: c.memory_entries!, hashes: c.memory_reads ?? 1 };
}

/** `y` and what the table of the layer has for its input `x`, `[B, T, d]`. Under the scope of the layer. */
export function addMemory(b: Builder, call: LmCall, layer: number, x: Tensor, y: Tensor): Tensor {
  const table = memoryOf(call.config, layer);
  if (!table) return y;
  return y.add(
    b.scope('memory', () =>
      b.tap(
        b.path('hook_out'),
        readMemory(b, table, x, {
          ids: call.ids,
          ...(table.lookup === 'ngram' ? { ngrams: call.input(NGRAM_INPUT) } : {}),
          ...(call.training ? { addLoss: (name, value, weight) => call.addLoss(`memory.${name}`, value, weight) } : {}),
        }),
      ),
    ),
  );
}
