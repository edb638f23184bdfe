// jax-js peer: the same GPT, step and optimiser, jitted. Usage: peer-jax.ts <workload folder> <threads>, with web-workers.mjs
// loaded before. Every use of an array consumes it; `.ref` keeps it. Embeddings and labels are one-hot products.
import { defaultDevice, init, jit, nn, numpy as np, valueAndGrad } from '@jax-js/jax';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { serveSteps } from '../train-step-engine.ts';
import { readWorkload } from './workload.ts';

type Arr = np.Array;
type Params = Record<string, Arr>;

const { case: c, adam, params, weights, batch, warmup } = readWorkload(process.argv[2]!);
const [B, T, D, H, V] = [c.batch, c.length, c.dim, c.heads, c.vocab];
await init('cpu', 'wasm');
defaultDevice('wasm');

const array = (data: Float32Array, shape: readonly number[]): Arr => np.array(data).reshape([...shape]);

function layerNorm(x: Arr, gain: Arr, bias: Arr): Arr {
  const mu = np.mean(x.ref, -1, { keepdims: true });
  const centred = x.sub(mu);
  const variance = np.mean(np.square(centred.ref), -1, { keepdims: true });
  return centred
    .div(np.sqrt(variance.add(1e-5)))
    .mul(gain)
    .add(bias);
}

const heads = (t: Arr): Arr => np.transpose(t.reshape([B, T, H, D / H]), [0, 2, 1, 3]);
const mask = array(
  Float32Array.from({ length: T * T }, (_, i) => (i % T > Math.floor(i / T) ? -1e9 : 0)),
  [T, T],
);

/** Mean cross entropy; x and y are one-hot `[B * T, V]`. */
function lossOf(p: Params, x: Arr, y: Arr, hidden: Arr): Arr {
  let h = np
    .matmul(x, p['embed']!)
    .reshape([B, T, D])
    .add(p['position']!)
    .reshape([B * T, D]);
  for (let i = 0; i < c.layers; i++) {
    const w = (name: string): Arr => p[`blocks.${i}.${name}`]!;
    const normed = layerNorm(h.ref, w('ln1.gain'), w('ln1.bias'));
    const qkv = np.matmul(normed, w('qkv.weight')).add(w('qkv.bias'));
    const [q, k, v] = np.split(qkv, 3, 1).map(heads) as [Arr, Arr, Arr];
    const scores = np
      .matmul(q, np.transpose(k, [0, 1, 3, 2]))
      .mul(1 / Math.sqrt(D / H))
      .add(hidden.ref);
    const mixed = np.transpose(np.matmul(nn.softmax(scores, -1), v), [0, 2, 1, 3]).reshape([B * T, D]);
    h = h.add(np.matmul(mixed, w('out.weight')).add(w('out.bias')));
    const second = layerNorm(h.ref, w('ln2.gain'), w('ln2.bias'));
    const wide = nn.gelu(np.matmul(second, w('up.weight')).add(w('up.bias')));
    h = h.add(np.matmul(wide, w('down.weight')).add(w('down.bias')));
  }
  hidden.dispose();
  const logits = np.matmul(layerNorm(h, p['norm.gain']!, p['norm.bias']!), p['head']!);
  return np.sum(nn.logSoftmax(logits, -1).mul(y)).mul(-1 / (B * T));
}

const names = params.map((p) => p.name);
const decays = new Set(params.filter((p) => p.shape.length > 1).map((p) => p.name));

/** One AdamW step: new parameters and moments, and the loss. */
const update = jit((p: Params, m: Params, v: Params, x: Arr, y: Arr, hidden: Arr, lr: Arr, c1: Arr, c2: Arr) => {
  const kept = Object.fromEntries(names.map((n) => [n, p[n]!.ref]));
  const [loss, grads] = valueAndGrad((q: Params) => lossOf(q, x, y, hidden))(kept) as [Arr, Params];
  const next: [Params, Params, Params] = [{}, {}, {}];
  for (const n of names) {
    const g = grads[n]!;
    const moment = m[n]!.mul(adam.beta1).add(g.ref.mul(1 - adam.beta1));
    const second = v[n]!.mul(adam.beta2).add(np.square(g).mul(1 - adam.beta2));
    const denominator = np.sqrt(second.ref.div(c2.ref)).add(adam.eps);
    const direction = moment.ref.div(c1.ref).div(denominator);
    const w = p[n]!;
    const total = decays.has(n) ? direction.add(w.ref.mul(adam.weightDecay)) : direction;
    next[0][n] = w.sub(total.mul(lr.ref));
    next[1][n] = moment;
    next[2][n] = second;
  }
  for (const scalar of [lr, c1, c2]) scalar.dispose();
  return [next[0], next[1], next[2], loss] as [Params, Params, Params, Arr];
});

let p: Params = Object.fromEntries(params.map(({ name, shape }) => [name, array(weights.get(name)!, shape)]));
const zeros = (): Params => Object.fromEntries(params.map(({ name, shape }) => [name, np.zeros([...shape])]));
let [m, v] = [zeros(), zeros()];
const oneHot = (ids: Int32Array): Arr => {
  const data = new Float32Array(ids.length * V);
  ids.forEach((id, i) => (data[i * V + id] = 1));
  return array(data, [ids.length, V]);
};

const step = async (i: number): Promise<number> => {
  const { x, y } = batch(i);
  const scalar = (value: number): Arr => np.array(Float32Array.of(value)).reshape([]);
  const [c1, c2] = [1 - adam.beta1 ** (i + 1), 1 - adam.beta2 ** (i + 1)];
  const out = update(p, m, v, oneHot(x), oneHot(y), mask.ref, scalar(adam.lr), scalar(c1), scalar(c2));
  [p, m, v] = [out[0], out[1], out[2]];
  return (await out[3].data())[0]!;
};

const entry = createRequire(import.meta.url).resolve('@jax-js/jax');
const { version } = JSON.parse(readFileSync(join(dirname(entry), '..', 'package.json'), 'utf8')) as { version: string };
await serveSteps({ version: `${version} (wasm, ${process.argv[3]} threads)`, warmup, step });
