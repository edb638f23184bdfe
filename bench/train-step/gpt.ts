// The GPT of the benchmark, written straight on the tensor front end, with its training step as one program.
import {
  adamW,
  attention,
  type Builder,
  crossEntropy,
  defineProgram,
  layerNorm,
  linear,
  type ProgramDef,
  split,
  type Tensor,
  zeros,
} from 'cairn/tensor';
import { adam, type GptCase } from './workload.ts';

/** Logits `[batch * length, vocab]` for tokens `[batch, length]`. */
export function gpt(b: Builder, c: GptCase, x: Tensor): Tensor {
  const d = c.dim;
  const p = (name: string, ...shape: number[]): Tensor => b.param(name, shape, zeros);
  const norm = (h: Tensor, name: string): Tensor => layerNorm(h, p(`${name}.gain`, d), p(`${name}.bias`, d));
  const dense = (h: Tensor, name: string, from: number, to: number): Tensor =>
    linear(h, p(`${name}.weight`, from, to), p(`${name}.bias`, to));
  const rows = c.batch * c.length;

  const embedded = p('embed', c.vocab, d).gather(x.reshape([rows])); // [rows, d]
  let h = embedded
    .reshape([c.batch, c.length, d])
    .add(p('position', c.length, d))
    .reshape([rows, d]);
  for (let i = 0; i < c.layers; i++) {
    h = b.scope(`blocks.${i}`, () => {
      const name = (local: string): string => b.path(local);
      const qkv = dense(norm(h, name('ln1')), name('qkv'), d, 3 * d); // [rows, 3d]
      const perHead = qkv.reshape([c.batch, c.length, 3 * c.heads, d / c.heads]).transpose([0, 2, 1, 3]);
      const [q, k, v] = split(perHead, 3, 1) as [Tensor, Tensor, Tensor]; // [batch, heads, length, d / heads]
      const mixed = attention(q, k, v, { causal: true }).transpose([0, 2, 1, 3]).reshape([rows, d]);
      const middle = h.add(dense(mixed, name('out'), d, d));
      const wide = dense(norm(middle, name('ln2')), name('up'), d, 4 * d).gelu(); // [rows, 4d]
      return middle.add(dense(wide, name('down'), 4 * d, d));
    });
  }
  return linear(norm(h, 'norm'), p('head', d, c.vocab));
}

/** One training step: forward, backward, AdamW. Feeds x, y `[batch, length]`, lr, c1, c2. */
export function trainStep(c: GptCase, dtype: 'f32' | 'f64' = 'f32'): ProgramDef {
  return defineProgram(
    (b) => {
      const x = b.input('x', [c.batch, c.length], 'i32');
      const y = b.input('y', [c.batch, c.length], 'i32');
      const loss = crossEntropy(gpt(b, c, x), y.reshape([c.batch * c.length]));
      b.output('loss', loss);
      adamW(b, loss, adam);
    },
    { dtype },
  );
}
