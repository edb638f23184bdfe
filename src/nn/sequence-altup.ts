// The sequence form of AltUp (arXiv 2301.13310, section on sequence length; the exact scalars are ours): a layer computes on
// every k-th position, the anchors, and the positions after an anchor take over its change.
//   yh_i = a1 x_i + a2 x_a      x_i' = yh_i + b (F(x)_a - yh_a),      a = floor(i / k) k
// With a1 = 1, a2 = 0, b = 1 at first, anchors get exactly F(x). Causal, because the anchor is the first of its group.
import { constant, concat, type Builder, type Tensor } from '../tensor/index.ts';
import { anchorsOf, type LmCall } from './lm-call.ts';

/**
 * `x [B, T, d] -> [B, T, d]`.
 * @param inner the layer, for a call that knows the anchors only
 */
export function sequenceLayer(
  b: Builder,
  call: LmCall,
  layer: number,
  x: Tensor,
  inner: (x: Tensor, call: LmCall) => Tensor,
): Tensor {
  const stride = call.config.altup_sequence_stride ?? 1;
  const [batch, length, d] = x.shape as [number, number, number];
  const scalar = (name: string, v: number): Tensor => b.param(`${scope}.${name}`, [], constant(v));
  const scope = b.path('altup');
  const [a1, a2, gain] = [scalar('sequence_own', 1), scalar('sequence_anchor', 0), scalar('sequence_correction', 1)];
  const anchors = anchorsOf(call.phase, length, stride);
  const first = anchors[0];
  /** At every anchor: its x, and what its group is corrected by. */
  const sources: [Tensor, Tensor][] = [];
  const shape = [batch, 1, d];
  if (call.phase > 0) {
    // The group of an anchor of the call before goes on.
    sources.push([call.past(`anchor.x.${layer}`, shape)!, call.past(`anchor.change.${layer}`, shape)!]);
  }
  if (first !== undefined) {
    const own = (t: Tensor, axis: number): Tensor => t.sliceAxis(axis, first, length, stride);
    const xa = own(x, 1);
    const change = inner(xa, anchorCall(call, own, anchors.length))
      .sub(a1.add(a2).mul(xa))
      .mul(gain);
    sources.push([xa, change]);
    call.keep(`anchor.x.${layer}`, xa.sliceAxis(1, anchors.length - 1));
    call.keep(`anchor.change.${layer}`, change.sliceAxis(1, anchors.length - 1));
  }
  const [xs, changes] = [0, 1].map((k) =>
    concat(
      sources.map((s) => s[k]!),
      1,
    ),
  ) as [Tensor, Tensor];
  const groups = xs.shape[1]!;
  const spread = (t: Tensor): Tensor =>
    t
      .reshape([batch, groups, 1, d])
      .expand([batch, groups, stride, d])
      .reshape([batch, groups * stride, d])
      .sliceAxis(1, call.phase, call.phase + length);
  return a1
    .mul(x)
    .add(a2.mul(spread(xs)))
    .add(spread(changes));
}

/** The call as the anchors see it: their ids, positions and inputs; spans count anchors. */
function anchorCall(call: LmCall, own: (t: Tensor, axis: number) => Tensor, count: number): LmCall {
  return {
    ...call,
    ids: own(call.ids, 1),
    positions: own(call.positions, 0),
    input: (name) => own(call.input(name), 1),
    mask: (span) => call.mask(span, count),
  };
}
