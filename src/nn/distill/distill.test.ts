import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { charTokenizer } from '../../data/index.ts';
import {
  type Builder,
  checkGradients,
  createReferenceExecutor,
  defineProgram,
  interpret,
  logSoftmax,
  ModelState,
  Rng,
  type Tensor,
  topk,
} from '../../tensor/index.ts';
import { type LanguageModel, lmLogits, lmProgram } from '../lm.ts';
import { lmConfig } from '../lm-config.ts';
import { trainLm } from '../train-lm.ts';
import { klDense, klTail, klTopkRenorm } from './losses.ts';
import {
  createTeacherFile,
  openTeacher,
  recordBytes,
  teacherFeeds,
  type TeacherHeader,
  teacherLoss,
  type TeacherRecords,
} from './teacher-file.ts';
import { hashTokens, writeTeacher, type WriteTeacherOptions } from './write-teacher.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'distill-'));
});
afterAll(() => rm(folder, { recursive: true }));

const V = 11;

function normals(seed: number, count: number, scale = 1): Float64Array {
  const out = new Float64Array(count);
  new Rng(seed).fork('d').fillNormal(out, scale);
  return out;
}

/** Losses `[5]` of random students and teachers, the target cut to k of V. */
function losses(seed: number, k: number, temperature: number): Record<'tail' | 'renorm' | 'dense', number[]> {
  const def = defineProgram(
    (b) => {
      const [student, teacher] = [b.input('s', [5, V]), b.input('t', [5, V])];
      const logp = logSoftmax(teacher.mul(1 / temperature), -1);
      const { values, indices } = topk(logp, k);
      const target = { ids: indices, logp: values };
      b.output('tail', klTail(student, target, temperature));
      b.output('renorm', klTopkRenorm(student, target, temperature));
      b.output('dense', klDense(student, logp, temperature));
    },
    { dtype: 'f64' },
  );
  const { outputs } = interpret(def, { s: normals(seed, 5 * V, 2), t: normals(seed + 1, 5 * V, 2) }, undefined);
  const of = (name: string): number[] => Array.from(outputs[name]!.data);
  return { tail: of('tail'), renorm: of('renorm'), dense: of('dense') };
}

test('with all tokens shown both losses are the divergence; with fewer the tail loss is below it and not negative', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1e6 }),
      fc.integer({ min: 1, max: V }),
      fc.constantFrom(0.5, 1, 2),
      (seed, k, temperature) => {
        const { tail, renorm, dense } = losses(seed, k, temperature);
        dense.forEach((d, i) => {
          expect(d).toBeGreaterThanOrEqual(0);
          expect(tail[i]).toBeGreaterThanOrEqual(-1e-5);
          expect(tail[i]).toBeLessThanOrEqual(d + 1e-5);
          if (k < V) return;
          expect(tail[i]).toBeCloseTo(d, 5);
          expect(renorm[i]).toBeCloseTo(d, 10);
        });
      },
    ),
    { numRuns: 60 },
  );
});

test('showing more tokens never lowers the tail loss', () => {
  for (const seed of [1, 2, 3]) {
    for (let k = 2; k <= V; k++) {
      const [less, more] = [losses(seed, k - 1, 1).tail, losses(seed, k, 1).tail];
      less.forEach((v, i) => expect(v).toBeLessThanOrEqual(more[i]! + 1e-6));
    }
  }
});

test('the losses are zero for a student that is the teacher, and their gradients are exact', () => {
  for (const k of [1, 3, V]) {
    const target = (b: Builder, seed: number): { ids: Tensor; logp: Tensor } => {
      const { values, indices } = topk(logSoftmax(b.constant(normals(seed, 4 * V, 2), [4, V]), -1), k);
      return { ids: indices, logp: values };
    };
    const same = defineProgram((b) => b.output('y', klTail(b.constant(normals(7, 4 * V, 2), [4, V]), target(b, 7))), {
      dtype: 'f64',
    });
    for (const v of interpret(same, {}, undefined).outputs['y']!.data) expect(v).toBeCloseTo(0, 5);
    for (const loss of [klTail, klTopkRenorm]) {
      const { failures } = checkGradients(
        (x) => loss(x, target(x.builder, 8), 1.5),
        [{ data: normals(9, 4 * V), shape: [4, V], dtype: 'f64' }],
        { rng: new Rng(k) },
      );
      expect(failures).toEqual([]);
    }
  }
});

test('files of any size come back in any range; their size is header and 4k bytes a token', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 40 }),
      fc.integer({ min: 1, max: 5 }),
      fc.constantFrom(300, 100_000),
      fc.nat(),
      fc.nat(),
      (tokens, k, vocab, a, b) => {
        const path = join(folder, 'any.bin');
        const rng = new Rng(`${tokens} ${k}`);
        const ids = Int32Array.from({ length: tokens * k }, () => rng.integer(vocab));
        const logp = Float32Array.from({ length: tokens * k }, () => -rng.integer(64) / 8);
        const writer = createTeacherFile(path, {
          format: 'cairn-teacher-1',
          teacher: 'x',
          text: 'é',
          k,
          vocab,
          temperature: 1,
          tokens,
        });
        const cut = Math.floor(tokens / 3) * k;
        writer.append({ ids: ids.slice(0, cut), logp: logp.slice(0, cut) });
        writer.append({ ids: ids.slice(cut), logp: logp.slice(cut) });
        writer.finish();
        using file = openTeacher(path);
        const start = a % (tokens + 1);
        const count = b % (tokens - start + 1);
        const read = file.read(start, count);
        expect(read.ids).toEqual(ids.slice(start * k, (start + count) * k));
        expect(read.logp).toEqual(logp.slice(start * k, (start + count) * k));
        expect(recordBytes({ k, vocab })).toBe(vocab > 65_535 ? 6 * k : 4 * k);
        expect(() => file.read(start, tokens - start + 1)).toThrow('Expected records from 0');
      },
    ),
    { numRuns: 25 },
  );
});

const text = 'the cat sat on the mat; the dog sat on the log. '.repeat(30);
const tokenizer = charTokenizer(text);

function teacherModel(): LanguageModel {
  const config = lmConfig({
    vocab_size: tokenizer.vocabSize,
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    max_position_embeddings: 16,
  });
  const state = ModelState.init(lmProgram(config, { batch: 1, length: 1 }), new Rng(7));
  for (const [i, name] of state.names().entries()) {
    const t = state.get(name);
    state.set(name, { ...t, data: Float32Array.from(normals(i, t.data.length, 0.5)) });
  }
  return { config, tokenizer, state, executor: createReferenceExecutor({ dtype: 'f32' }), generation: {} };
}

test('a model writes what it expects after each token', async () => {
  const model = teacherModel();
  const tokens = tokenizer.encode(text.slice(0, 60));
  const path = join(folder, 'teacher.bin');
  const header = await writeTeacher(path, model, tokens, { k: 4, kept: 'likeliest', temperature: 2, batch: 3 });
  expect(header).toMatchObject({
    k: 4,
    vocab: tokenizer.vocabSize,
    tokens: 59,
    text: hashTokens(tokens),
    temperature: 2,
  });
  using file = openTeacher(path);
  expect((await stat(path)).size % 8).toBe((59 * 16) % 8);
  // The first window has nothing before it; later ones begin half a context before what they score.
  const windows = [
    [0, 0, 16],
    [8, 8, 16],
  ] as const;
  for (const [start, from, length] of windows) {
    const logits = (await lmLogits(model, tokens.slice(start, start + 16))).data;
    const { ids, logp } = file.read(start + from, length - from);
    for (let t = from; t < length; t++) {
      const row = Array.from(logits.slice(t * tokenizer.vocabSize, (t + 1) * tokenizer.vocabSize), (v) => v / 2);
      const total = Math.log(row.reduce((s, v) => s + Math.exp(v), 0));
      const best = row.map((v, i) => [v - total, i] as const).sort((x, y) => y[0] - x[0]);
      for (let i = 0; i < 4; i++) {
        expect(ids[(t - from) * 4 + i]).toBe(best[i]![1]);
        expect(Math.abs(logp[(t - from) * 4 + i]! - best[i]![0])).toBeLessThan(2e-3 * Math.abs(best[i]![0]) + 1e-4);
      }
    }
  }
  const feeds = teacherFeeds(file, Int32Array.of(3, 20), 5);
  expect(feeds['teacher.ids']!.shape).toEqual([2, 5, 4]);
  expect(feeds['teacher.ids']!.data.slice(20)).toEqual(file.read(20, 5).ids);
});

test('a student trains from a file about its text, and refuses one about another', async () => {
  const path = join(folder, 'own.bin');
  const cut = Math.floor(text.length * 0.9);
  await writeTeacher(path, teacherModel(), tokenizer.encode(text.slice(0, cut)), { k: 3 });
  const model = { hidden_size: 8, num_hidden_layers: 1, num_attention_heads: 2, max_position_embeddings: 16 };
  const student = { text, seed: 1, steps: 6, model, teacher: { file: path, alpha: 0 } };
  const report = await trainLm({ ...student, dir: join(folder, 'student') });
  const plain = await trainLm({ ...student, teacher: { file: path, alpha: 1 }, dir: join(folder, 'plain') });
  const without = await trainLm({ text, seed: 1, steps: 6, model, dir: join(folder, 'without') });
  expect(plain.validLoss).toBeCloseTo(without.validLoss, 5);
  expect(Math.abs(report.validLoss - without.validLoss)).toBeGreaterThan(1e-3);
  const other = text.replace('cat', 'tac');
  await expect(trainLm({ ...student, text: other, dir: join(folder, 'other') })).rejects.toThrow('about the same text');
});

test('a file of drawn tokens is the same for the same seed, whatever the batch, and with all of them the one of the likeliest', async () => {
  const tokens = tokenizer.encode(text.slice(0, 60));
  const write = async (options: WriteTeacherOptions): Promise<TeacherRecords & { header: TeacherHeader }> => {
    const path = join(folder, 'drawn.bin');
    await writeTeacher(path, teacherModel(), tokens, options);
    using file = openTeacher(path);
    return { header: file.header, ...file.read(0, 59) };
  };
  const drawn = await write({ k: 4, seed: 5 });
  expect(drawn.header).toMatchObject({ k: 4, kept: 'drawn' });
  expect(teacherLoss(drawn.header)).toBe('renorm');
  expect(await write({ k: 4, seed: 5, batch: 1 })).toEqual(drawn);
  expect((await write({ k: 4, seed: 6 })).ids).not.toEqual(drawn.ids);
  const likeliest = await write({ k: 4, kept: 'likeliest' });
  expect(teacherLoss(likeliest.header)).toBe('tail');
  for (let t = 0; t < 59; t++) {
    const weights = Array.from(drawn.logp.slice(4 * t, 4 * t + 4), Math.exp);
    expect(Math.abs(weights.reduce((a, b) => a + b) - 1)).toBeLessThan(2e-3);
    expect(new Set(drawn.ids.slice(4 * t, 4 * t + 4)).size).toBe(4);
    // What is kept as it is are the likeliest.
    for (let i = 0; i < 4; i++) {
      if (drawn.logp[4 * t + i] !== likeliest.logp[4 * t + i]) break;
      expect(drawn.ids[4 * t + i]).toBe(likeliest.ids[4 * t + i]);
    }
  }
  const k = tokenizer.vocabSize;
  const { ids, logp } = await write({ k });
  const all = await write({ k, kept: 'likeliest' });
  expect(ids).toEqual(all.ids);
  logp.forEach((v, i) => expect(Math.abs(v - all.logp[i]!)).toBeLessThan(2e-3 * Math.abs(v)));
});

test('damaged files are named', async () => {
  const path = join(folder, 'teacher.bin');
  const whole = await readFile(path);
  const broken = join(folder, 'broken.bin');
  for (const [bytes, message] of [
    [whole.subarray(0, whole.length - 1), 'bytes'],
    [whole.subarray(0, 5), 'bytes'],
    [Buffer.concat([whole.subarray(0, 8), Buffer.from('x'), whole.subarray(9)]), 'a JSON header'],
    [Buffer.alloc(0), 'bytes'],
    [Buffer.from('hello, this is no teacher file at all'), 'header'],
  ] as const) {
    await writeFile(broken, bytes);
    expect(() => openTeacher(broken)).toThrow(message);
  }
  await writeFile(broken, Buffer.from(whole.toString('latin1').replace('"k":4', '"k":0'), 'latin1'));
  expect(() => openTeacher(broken)).toThrow('key `k`');
  expect(() => openTeacher(join(folder, 'absent'))).toThrow('Expected a teacher file');
  await expect(writeTeacher(broken, teacherModel(), tokenizer.encode('the'), { k: 9999 })).rejects.toThrow(
    'Expected k from 1',
  );
});
