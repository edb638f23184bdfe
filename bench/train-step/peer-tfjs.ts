// tfjs peer: the same GPT, step and optimiser on its WASM back end, with one-hot products for embeddings and labels
// because that back end has no gradient of gather. tfjs registers its gradients in a module that Node cannot import, so
// index.ts bundles this file first. Usage: <bundle> <workload folder> <threads> <folder of the .wasm files>.
import * as wasm from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import { serveSteps } from '../train-step-engine.ts';
import { readWorkload } from './workload.ts';

const [dir, threads, wasmFolder] = process.argv.slice(2) as [string, string, string];
const { case: c, adam, params, weights, batch, warmup } = readWorkload(dir);
const [B, T, D, H, V] = [c.batch, c.length, c.dim, c.heads, c.vocab];
const zeros = (): Map<string, tf.Variable> =>
  new Map(params.map(({ name, shape }) => [name, tf.variable(tf.zeros([...shape]), false)]));
let p: Map<string, tf.Variable>;
let m: Map<string, tf.Variable>;
let v: Map<string, tf.Variable>;
let mask: tf.Tensor;

async function start(): Promise<void> {
  wasm.setWasmPaths(`${wasmFolder}/`);
  wasm.setThreadsCount(Number(threads));
  await tf.setBackend('wasm');
  await tf.ready();
  p = new Map(params.map(({ name, shape }) => [name, tf.variable(tf.tensor(weights.get(name)!, [...shape]))]));
  [m, v] = [zeros(), zeros()];
  const hidden = Float32Array.from({ length: T * T }, (_, i) => (i % T > Math.floor(i / T) ? -1e9 : 0));
  mask = tf.tensor2d(hidden, [T, T]);
}

const get = (name: string): tf.Variable => p.get(name)!;

const { add, div, matMul, mean, mul, reshape, sqrt, square, sub, transpose } = tf;

function layerNorm(x: tf.Tensor, name: string): tf.Tensor {
  const centred = sub(x, mean(x, -1, true));
  const deviation = sqrt(add(mean(square(centred), -1, true), 1e-5));
  return add(mul(div(centred, deviation), get(`${name}.gain`)), get(`${name}.bias`));
}

const dense = (x: tf.Tensor, name: string): tf.Tensor => add(matMul(x, get(`${name}.weight`)), get(`${name}.bias`));

function gelu(x: tf.Tensor): tf.Tensor {
  const inner = mul(add(x, mul(mul(mul(x, x), x), 0.044715)), 0.7978845608028654);
  return mul(mul(x, 0.5), add(tf.tanh(inner), 1));
}

const heads = (t: tf.Tensor): tf.Tensor => transpose(reshape(t, [B, T, H, D / H]), [0, 2, 1, 3]);
/** Mean cross entropy; x and y are one-hot `[B * T, V]`. */
function lossOf(x: tf.Tensor, y: tf.Tensor): tf.Scalar {
  let h = reshape(add(reshape(matMul(x, get('embed')), [B, T, D]), get('position')), [B * T, D]);
  for (let i = 0; i < c.layers; i++) {
    const name = (local: string): string => `blocks.${i}.${local}`;
    const qkv = dense(layerNorm(h, name('ln1')), name('qkv'));
    const [q, k, value] = tf.split(qkv, 3, 1).map(heads) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const scores = add(mul(matMul(q, k, false, true), 1 / Math.sqrt(D / H)), mask);
    const mixed = reshape(transpose(matMul(tf.softmax(scores), value), [0, 2, 1, 3]), [B * T, D]);
    h = add(h, dense(mixed, name('out')));
    h = add(h, dense(gelu(dense(layerNorm(h, name('ln2')), name('up'))), name('down')));
  }
  const logits = matMul(layerNorm(h, 'norm'), get('head'));
  return mul(tf.sum(mul(tf.logSoftmax(logits), y)), -1 / (B * T)) as tf.Scalar;
}

const step = async (i: number): Promise<number> => {
  const ids = batch(i);
  const [c1, c2] = [1 - adam.beta1 ** (i + 1), 1 - adam.beta2 ** (i + 1)];
  const oneHot = (labels: Int32Array): tf.Tensor => tf.cast(tf.oneHot(tf.tensor1d(labels, 'int32'), V), 'float32');
  const loss = tf.tidy(() => {
    const [x, y] = [oneHot(ids.x), oneHot(ids.y)];
    const { value, grads } = tf.variableGrads(() => lossOf(x, y), [...p.values()]);
    for (const { name, shape } of params) {
      const w = get(name);
      const g = grads[w.name]!;
      const moment = add(mul(m.get(name)!, adam.beta1), mul(g, 1 - adam.beta1));
      const second = add(mul(v.get(name)!, adam.beta2), mul(square(g), 1 - adam.beta2));
      const direction = div(div(moment, c1), add(sqrt(div(second, c2)), adam.eps));
      const total = shape.length > 1 ? add(direction, mul(w, adam.weightDecay)) : direction;
      w.assign(sub(w, mul(total, adam.lr)));
      m.get(name)!.assign(moment);
      v.get(name)!.assign(second);
    }
    return value;
  });
  const result = (await loss.data())[0]!;
  loss.dispose();
  return result;
};

async function main(): Promise<void> {
  await start();
  await serveSteps({ version: `${tf.version_core} (wasm, ${wasm.getThreadsCount()} thread)`, warmup, step });
}

void main();
