// AltUp with coefficients that depend on the token, the form of Gemma 3n: the layer always works on the prediction of
// stream 0, a router turns that stream into the K x K coefficients of the prediction and the K of the correction, and streams
// are made from and joined to one width by learned maps. At first all streams are equal and the model is the plain one.
import { type Builder, concat, type Init, matmul, normal, ones, type Tensor, zeros } from '../tensor/index.ts';
import type { LmCall } from './lm-call.ts';
import type { LmConfig } from './lm-config.ts';
import { perLayerInputs, type PerLayerInputs } from './per-layer-embedding.ts';
import type { Stream } from './stream.ts';

/** One tensor `[B, T, K, d]`. */
type State = readonly [Tensor];

/** The stream of `altup_coefficients: "dynamic"`. */
export function dynamicStream(b: Builder, call: LmCall): Stream<readonly Tensor[]> {
  const { config: c } = call;
  const { hidden_size: d } = c;
  const streams = c.altup_num_inputs ?? 1;
  let extra: PerLayerInputs | undefined;
  const only = ([x]: readonly Tensor[]): Tensor => x!;
  const streamAt = (x: Tensor, i: number): Tensor => x.sliceAxis(2, i, i + 1).squeeze(2);
  const map = (name: string, i: number, x: Tensor): Tensor =>
    matmul(x, b.param(`${name}.${i}.weight`, [d, d], identity));
  return {
    embedWidth: d,
    outWidth: d,
    open(embedded): State {
      extra = perLayerInputs(b, call, embedded);
      const like = magnitude(embedded);
      const made = Array.from({ length: streams - 1 }, (_, i) => rescaled(map('altup_projection', i, embedded), like));
      return [
        concat(
          [embedded, ...made].map((x) => x.unsqueeze(2)),
          2,
        ),
      ];
    },
    layer(state, index, inner): State {
      const x = only(state);
      const predicted = b.scope('altup', () => predict(b, c, x, streamAt(x, 0)));
      const active = streamAt(predicted, 0);
      const y = inner(active);
      const corrected = b.scope('altup', () => {
        const gains = matmul(router(b, c, y), clipped(c, coefficients(b, 'correction_coefs', streams, streams))).add(1);
        return predicted.add(gains.unsqueeze(-1).mul(y.sub(active).unsqueeze(2)));
      });
      const added = extra?.(index, () => {
        const first = streamAt(corrected, 0);
        return c.altup_correct_scale === true
          ? first.mul(b.param(b.path('altup.correct_output_scale'), [d], ones))
          : first;
      });
      if (!added) return [corrected];
      const rest = corrected.sliceAxis(2, 1).add(added.unsqueeze(2));
      return [concat([corrected.sliceAxis(2, 0, 1), rest], 2)];
    },
    read: (state) => only(state).mean(2),
    close(state) {
      const x = only(state);
      const first = streamAt(x, 0);
      const like = magnitude(first);
      const rest = Array.from({ length: streams - 1 }, (_, i) =>
        rescaled(map('altup_unembed', i, streamAt(x, i + 1)), like),
      );
      return [first, ...rest].reduce((sum, t) => sum.add(t)).mul(1 / streams);
    },
  };
}

/** `x_i + sum_k C[i,k] x_k` with `C = reshape(m Wp)`, `m` from stream 0. `[B, T, K, d]` */
function predict(b: Builder, c: LmConfig, x: Tensor, first: Tensor): Tensor {
  const [batch, length, streams] = x.shape as [number, number, number];
  const weights = clipped(c, coefficients(b, 'prediction_coefs', streams, streams * streams));
  const each = matmul(router(b, c, first), weights).reshape([batch, length, streams, streams]);
  return x.add(matmul(each, x));
}

/** `tanh(rmsNorm(x) Wr / d)`, `[B, T, K]`. */
function router(b: Builder, c: LmConfig, x: Tensor): Tensor {
  const { hidden_size: d, altup_num_inputs: streams = 1 } = c;
  const gain = b.param(b.path('router_norm.gain'), [d], ones);
  const scale = x.mul(x).mean(-1, true).add(c.rms_norm_eps).sqrt();
  const w = b.param(b.path('modality_router.weight'), [d, streams], normal(1), { decay: false });
  return matmul(x.div(scale).mul(gain), w, { alpha: 1 / d }).tanh();
}

function coefficients(b: Builder, name: string, from: number, to: number): Tensor {
  return b.param(b.path(`${name}.weight`), [from, to], zeros, { decay: false });
}

function clipped(c: LmConfig, w: Tensor): Tensor {
  const limit = c.altup_coef_clip;
  return limit === undefined ? w : w.max(-limit).min(limit);
}

/** Root mean square, `[B, T, 1]`. */
function magnitude(x: Tensor): Tensor {
  // A vector of zeros, as of a blank picture, has the slope 0 and not 0 / 0.
  return x.mul(x).mean(-1, true).max(1e-30).sqrt();
}

/** `x` with the magnitude `like`; smaller ones than sqrt(1e-5) are not blown up. */
function rescaled(x: Tensor, like: Tensor): Tensor {
  return x.mul(like).div(x.mul(x).mean(-1, true).max(1e-5).sqrt());
}

const identity: Init = (_rng, [n = 0]) =>
  Float64Array.from({ length: n * n }, (_, k) => (Math.floor(k / n) === k % n ? 1 : 0));
