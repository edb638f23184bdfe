// The network behind a manifold hash as graphs: one training step and one embedding program. Not the host side; see
// manifold-hash.ts. After the construction of arXiv 2103.06875: a wide first layer, a linear embedding, a linear output
// layer, and a penalty on the weights that makes the variance inside a class vanish.
import {
  adamW,
  type Builder,
  crossEntropy,
  defineProgram,
  normal,
  type ProgramDef,
  type Tensor,
} from '../../tensor/index.ts';
import { forward } from '../forward.ts';
import { activation, type Layer, linear, sequential } from '../module.ts';

/** What is trained and how. */
export interface ManifoldNetwork {
  /** `[B, inputSize] -> [B, width]`. */
  readonly encoder: Layer;
  readonly inputSize: number;
  readonly width: number;
  /** Parameters whose name starts with one of these stay as drawn. */
  readonly fixed: readonly string[];
  /** `linear`: logits are products with the raw embedding. `cosine`: scaled cosines with unit class vectors. */
  readonly head: 'linear' | 'cosine';
  /** Factor of the cosines under the softmax. */
  readonly scale: number;
  /** Factor of the sum of squares of all trained matrices in the loss. */
  readonly penalty: number;
}

/**
 * The architecture of the paper: `inputSize -> hidden` random ReLU features, then a linear map to `width`.
 * @example
 * wideEncoder(64, 1024, 128); // first layer N(0, 2/64)
 */
export function wideEncoder(inputSize: number, hidden: number, width: number): Layer {
  return sequential({
    features: linear(inputSize, hidden, { std: Math.sqrt(2 / inputSize) }),
    act: activation('relu'),
    embed: linear(hidden, width, { bias: false, std: Math.sqrt(1 / hidden) }),
  });
}

function unit(x: Tensor): Tensor {
  return x.div(x.mul(x).sum(-1, true).add(1e-12).sqrt());
}

function encoded(b: Builder, net: ManifoldNetwork, x: Tensor): Tensor {
  return b.scope('encoder', () => forward(b, net.encoder, x));
}

/** One step: inputs `x [batch, inputSize]`, `y [batch]`, `lr`, `c1`, `c2`; outputs `loss`, `gradNorm`, `skipped`. */
export function manifoldStep(
  net: ManifoldNetwork,
  classes: number,
  batch: number,
  adam: { beta1: number; beta2: number },
): ProgramDef {
  return defineProgram((b) => {
    const x = b.input('x', [batch, net.inputSize]);
    const y = b.input('y', [batch], 'i32');
    const raw = encoded(b, net, x);
    const w = b.param('head.weight', [net.width, classes], normal(Math.sqrt(1 / net.width)));
    const columns = w.div(w.mul(w).sum(0, true).add(1e-12).sqrt());
    const logits = net.head === 'linear' ? raw.matmul(w) : unit(raw).matmul(columns).mul(net.scale);
    let loss = crossEntropy(logits, y);
    const trains = (name: string): boolean => !net.fixed.some((prefix) => name.startsWith(prefix));
    if (net.penalty > 0) {
      for (const { spec, tensor } of b.trainable()) {
        if (spec.decay && trains(spec.name)) loss = loss.add(tensor.mul(tensor).sum().mul(net.penalty));
      }
    }
    b.output('loss', loss);
    adamW(b, loss, { ...adam, eps: 1e-8, weightDecay: 0, clipNorm: 5, only: (spec) => trains(spec.name) });
  });
}

/** Unit embeddings: `x [batch, inputSize] -> embedding [batch, width]`; the batch may be symbolic. */
export function embeddingProgram(net: ManifoldNetwork, batch: number | 'symbolic'): ProgramDef {
  return defineProgram((b) => {
    const size = batch === 'symbolic' ? b.symbol('batch') : batch;
    b.output('embedding', unit(encoded(b, net, b.input('x', [size, net.inputSize]))));
  });
}
