// Writes what a trained language model expects at every token of a text: each with at least half a context before it.
import { createHash } from 'node:crypto';
import { CairnError } from '../../errors.ts';
import { defineProgram, logSoftmax, Rng, topk } from '../../tensor/index.ts';
import { evaluationWindows } from '../evaluate-lm.ts';
import { type LanguageModel, lmTensors } from '../lm.ts';
import { lmFeeds } from '../lm-inputs.ts';
import { transformerForward } from '../transformer.ts';
import { drawSparse } from './draw.ts';
import { createTeacherFile, type TeacherHeader, type TeacherRecords } from './teacher-file.ts';

export interface WriteTeacherOptions {
  /** Tokens that are kept of each position. Default 8. */
  readonly k?: number;
  /**
   * Default `drawn`: k tokens that stand for all, right on average. `likeliest`: the k largest probabilities, of the rest only the
   * sum. Students of the drawn come closer to one that is shown everything.
   */
  readonly kept?: 'drawn' | 'likeliest';
  /** Of what is drawn. Default 7. */
  readonly seed?: number;
  /** Default 1. */
  readonly temperature?: number;
  readonly batch?: number;
  /** Tokens done, of all. */
  readonly onProgress?: (done: number, all: number) => void;
  readonly signal?: AbortSignal;
}

/** SHA-256 of token ids: says which text a teacher file belongs to. */
export function hashTokens(tokens: Int32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength))
    .digest('hex');
}

/**
 * Writes a teacher file with one record for each token but the last.
 * @throws CairnError `bad_teacher` when k is not in the vocabulary or the text is too short
 * @example
 * await writeTeacher('teacher.bin', model, tokens, { k: 8 });
 */
export async function writeTeacher(
  path: string,
  model: Pick<LanguageModel, 'config' | 'state' | 'executor'>,
  tokens: Int32Array,
  options: WriteTeacherOptions = {},
): Promise<TeacherHeader> {
  const { k = 8, kept = 'drawn', seed = 7, temperature = 1, batch = 8, onProgress, signal } = options;
  const { config, state, executor } = model;
  const { vocab_size: vocab, max_position_embeddings: context } = config;
  if (!Number.isInteger(k) || k < 1 || k > vocab) {
    throw new CairnError('bad_teacher', `Expected k from 1 to ${vocab}, got ${k}.`);
  }
  if (tokens.length < 2) throw new CairnError('bad_teacher', `Expected at least 2 tokens, got ${tokens.length}.`);
  const header: TeacherHeader = {
    format: 'cairn-teacher-1',
    teacher: hashModel(model),
    text: hashTokens(tokens),
    k,
    vocab,
    temperature,
    kept,
    tokens: tokens.length - 1,
  };
  const shown = kept === 'drawn' ? vocab : k;
  const rng = new Rng(seed).fork('teacher');
  const def = defineProgram((b) => {
    const logits = transformerForward(b, config, b.input('x', [batch, context], 'i32'));
    const { values, indices } = topk(logSoftmax(logits.mul(1 / temperature), -1), shown);
    b.output('ids', indices);
    b.output('logp', values);
  });
  await using program = await executor.compile(def, { state });
  const windows = evaluationWindows(tokens.length, context);
  const file = createTeacherFile(path, header);
  try {
    for (let at = 0; at < windows.length; at += batch) {
      signal?.throwIfAborted();
      const x = new Int32Array(batch * context);
      const chosen = windows.slice(at, at + batch);
      chosen.forEach(({ start, length }, row) => x.set(tokens.subarray(start, start + length), row * context));
      const out = await program.run({ x, ...lmFeeds(config, x, batch) });
      const [ids, logp] = [out['ids']!.data as Int32Array, out['logp']!.data as Float32Array];
      chosen.forEach(({ from, length }, row) => {
        const [first, last] = [(row * context + from) * shown, (row * context + length) * shown];
        const records = { ids: ids.slice(first, last), logp: Float32Array.from(logp.slice(first, last)) };
        file.append(kept === 'drawn' ? drawRecords(records, { vocab, k, rng }) : records);
      });
      const last = chosen.at(-1)!;
      onProgress?.(last.start + last.length, header.tokens);
    }
  } catch (error) {
    file.abandon();
    throw error;
  }
  file.finish();
  return header;
}

/** Logarithm of a weight too small to be one: finite in half precision too. */
const NOTHING = -1000;

/** Records of k drawn tokens from records of all. */
function drawRecords(
  { ids, logp }: TeacherRecords,
  { vocab, k, rng }: { readonly vocab: number; readonly k: number; readonly rng: Rng },
): TeacherRecords {
  const count = ids.length / vocab;
  const drawn = { ids: new Int32Array(count * k), logp: new Float32Array(count * k) };
  const p = new Float64Array(vocab);
  const ranks = Int32Array.from({ length: vocab }, (_, i) => i);
  for (let t = 0; t < count; t++) {
    for (let i = 0; i < vocab; i++) p[i] = Math.exp(logp[t * vocab + i]!);
    const { ids: rank, weights } = drawSparse(p, ranks, k, rng.uniform());
    for (let i = 0; i < k; i++) {
      drawn.ids[t * k + i] = ids[t * vocab + rank[i]!]!;
      drawn.logp[t * k + i] = Math.max(NOTHING, Math.log(weights[i]!));
    }
  }
  return drawn;
}

function hashModel({ config, state }: Pick<LanguageModel, 'config' | 'state'>): string {
  const hash = createHash('sha256');
  for (const [name, t] of [...lmTensors(config, state)].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(name);
    hash.update(new Uint8Array(t.data.buffer, t.data.byteOffset, t.data.byteLength));
  }
  return hash.digest('hex');
}
