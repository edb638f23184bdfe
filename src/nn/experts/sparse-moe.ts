// A sparse mixture of experts in place of an MLP: a router sends each row to its best one or two of E networks. In training an
// expert takes a bounded number of rows and the rest pass it by (Switch Transformer, arXiv 2101.03961; ST-MoE, 2202.08906);
// otherwise no row is dropped, so the result of a row does not depend on the others.
import { CairnError } from '../../errors.ts';
import {
  type Builder,
  concat,
  gather,
  gatherElements,
  iota,
  isSymbolic,
  logSumExp,
  normal,
  oneHot,
  scatterAdd,
  sizeOf,
  type Tensor,
  topk,
  zeros,
} from '../../tensor/index.ts';
import { activate } from '../forward.ts';
import type { ActivationName } from '../module.ts';

/**
 * Parameters `router.weight [width, experts]`, `in [experts, width, hidden]`, `in_bias`, `gate`, `gate_bias` when gated,
 * `out [experts, hidden, width]`, `out_bias`; with `balance: 'bias'` also `balance [experts]`.
 */
export interface SparseMoe {
  readonly width: number;
  readonly hidden: number;
  readonly experts: number;
  /** Experts of a row. */
  readonly topK: number;
  /** In training an expert takes at most `capacity * rows * topK / experts` rows, rounded up. */
  readonly capacity: number;
  readonly act: ActivationName;
  readonly gated: boolean;
  readonly bias: boolean;
  /** Standard deviation of the first weights of `out`. */
  readonly outStd: number;
  /** Even loads by an auxiliary loss, or by a bias of the choice that training nudges (arXiv 2408.15664). */
  readonly balance: 'loss' | 'bias';
}

export interface MoeOptions {
  /** Bounded capacity, auxiliary losses, nudged bias. */
  readonly training: boolean;
  /** Hears `balance` and `z`, rank 0, with their weights. */
  readonly addLoss?: (name: string, value: Tensor, weight: number) => void;
  /** Added to the router's products before the choice, `[N, experts]`: noise in training. */
  readonly noise?: Tensor;
  /** How it is computed when not training; default: gathered matrices for up to four rows, else all experts on all rows. */
  readonly form?: 'gathered' | 'all';
}

const BALANCE_WEIGHT = 0.01;
const Z_WEIGHT = 1e-3;
/** Step of the bias of an expert, against the sign of its surplus. */
const NUDGE = 1e-3;

/** x `[..., width]` to the same shape; rows that every chosen expert had no room for become 0. */
export function sparseMoe(b: Builder, moe: SparseMoe, x: Tensor, options: MoeOptions): Tensor {
  const { width, experts, topK } = moe;
  if (topK > experts) {
    throw new CairnError('bad_experts', `Expected at most ${experts} experts a row, got ${topK}.`);
  }
  const lead = x.shape.slice(0, -1);
  const known = lead.every((d) => !isSymbolic(d));
  const form = options.form ?? (known && sizeOf(lead) <= 4 ? 'gathered' : 'all');
  const flat = options.training || form === 'gathered' ? x.reshape([sizeOf(lead), width]) : x;
  const weight = b.scope('router', () => b.param(b.path('weight'), [width, experts], normal(0.02), { decay: false }));
  const plain = flat.matmul(weight);
  const logits = options.noise ? plain.add(options.noise) : plain;
  const p = b.tap(b.path('hook_router'), logits.softmax()); // [..., experts]
  const { chosen, shift } = choose(b, moe, p);
  const picked = gatherElements(p, chosen); // [..., topK]
  const gates = topK === 1 ? picked : picked.div(picked.sum(-1, true));
  if (!options.training) {
    if (form === 'all') return onAll(b, moe, x, chosen, gates);
    return gathered(b, moe, flat, chosen, gates).reshape(x.shape);
  }
  addLosses(moe, p, chosen, logits, options);
  if (shift) nudge(b, moe, chosen, shift);
  return dispatched(b, moe, flat, chosen, gates).reshape(x.shape);
}

/** The experts of each row, best first, i32 `[N, topK]`. */
function choose(b: Builder, moe: SparseMoe, p: Tensor): { chosen: Tensor; shift?: Tensor } {
  if (moe.balance === 'loss') return { chosen: topk(p.stopGradient(), moe.topK).indices };
  const fixed = { trainable: false, decay: false };
  const shift = b.param(b.path('balance'), [moe.experts], zeros, fixed);
  return { chosen: topk(p.stopGradient().add(shift), moe.topK).indices, shift };
}

/** `E sum_e f_e P_e`, 1 when even, and the mean square of the log-sum-exp. */
function addLosses(moe: SparseMoe, p: Tensor, chosen: Tensor, logits: Tensor, options: MoeOptions): void {
  if (!options.addLoss) return;
  const z = logSumExp(logits, -1);
  options.addLoss('z', z.mul(z).mean(), Z_WEIGHT);
  const first = oneHot(chosen.sliceAxis(1, 0, 1).squeeze(1), moe.experts, p.dtype); // [N, experts]
  const balance = first.mean(0).mul(p.mean(0)).sum().mul(moe.experts);
  options.addLoss('balance', balance, moe.balance === 'loss' ? BALANCE_WEIGHT : 0);
}

function nudge(b: Builder, moe: SparseMoe, chosen: Tensor, shift: Tensor): void {
  const load = oneHot(chosen, moe.experts, shift.dtype).sum([0, 1]); // [experts]
  b.update(b.path('balance'), shift.add(load.mean().sub(load).sign().mul(NUDGE)));
}

/** Rows that an expert takes at most. */
export function moeCapacity(moe: Pick<SparseMoe, 'capacity' | 'topK' | 'experts'>, rows: number): number {
  return Math.max(1, Math.min(rows, Math.ceil((moe.capacity * rows * moe.topK) / moe.experts)));
}

/** Rows moved to their experts, up to the capacity, first choices before second ones, and back. */
function dispatched(b: Builder, moe: SparseMoe, x: Tensor, chosen: Tensor, gates: Tensor): Tensor {
  const { experts, topK, width } = moe;
  const rows = x.shape[0]!;
  const room = moeCapacity(moe, rows);
  const expert = chosen.transpose().reshape([topK * rows]); // first choices first
  const hit = oneHot(expert, experts, x.dtype); // [topK N, experts]
  const place = hit.cumsum(0, { exclusive: true }).mul(hit).sum(-1);
  const slot = expert.cast(x.dtype).mul(room).add(place);
  const lost = experts * room;
  const at = place.lt(room).where(slot, lost).cast('i32');
  const copies = topK === 1 ? x : concat(Array.from({ length: topK }, () => x));
  const moved = scatterAdd(b.constant(0).expand([lost + 1, width]), at, copies);
  const grouped = moved.sliceAxis(0, 0, lost).reshape([experts, room, width]);
  const answers = network(
    moe,
    weightsOf(b, moe),
    grouped,
    (matrix) => matrix,
    (bias) => bias.unsqueeze(1),
  ).reshape([lost, width]);
  const back = gather(concat([answers, b.constant(0).expand([1, width])], 0), at).reshape([topK, rows, width]);
  return back.mul(gates.transpose().unsqueeze(2)).sum(0);
}

/**
 * Every expert on every row `[..., width]`: side by side as one wide network whose hidden units are weighted by the gate of
 * their expert. For many rows, where nothing may be dropped.
 */
function onAll(b: Builder, moe: SparseMoe, x: Tensor, chosen: Tensor, gates: Tensor): Tensor {
  const { experts, width, hidden, bias } = moe;
  const rank = x.shape.length;
  const share = oneHot(chosen, experts, x.dtype).mul(gates.unsqueeze(rank)).sum(-2); // [..., experts]
  const { up, gate, out } = weightsOf(b, moe);
  const wide = (part: Affine): Tensor => {
    const product = x.matmul(part.matrix.transpose([1, 0, 2]).reshape([width, experts * hidden]));
    return part.bias ? product.add(part.bias.reshape([experts * hidden])) : product;
  };
  const act = gate ? activate(moe.act, wide(gate)).mul(wide(up)) : activate(moe.act, wide(up)); // [..., experts * hidden]
  const own = oneHot(iota(b, experts), experts, x.dtype).unsqueeze(1).expand([experts, hidden, experts]);
  const weighted = act.mul(share.matmul(own.reshape([experts * hidden, experts]), { transB: true }));
  const y = weighted.matmul(out.matrix.reshape([experts * hidden, width]));
  return bias ? y.add(share.matmul(out.bias!)) : y;
}

/** The matrices of the chosen experts gathered for each row: for few rows. */
function gathered(b: Builder, moe: SparseMoe, x: Tensor, chosen: Tensor, gates: Tensor): Tensor {
  const rows = x.shape[0]!;
  const answers = network(
    moe,
    weightsOf(b, moe),
    x.reshape([rows, 1, 1, moe.width]),
    (matrix) => gather(matrix, chosen),
    (bias) => gather(bias, chosen).unsqueeze(2),
  );
  return answers.squeeze(2).mul(gates.unsqueeze(2)).sum(1);
}

interface Affine {
  /** `[experts, from, to]` */
  readonly matrix: Tensor;
  /** `[experts, to]` */
  readonly bias?: Tensor;
}

function weightsOf(b: Builder, moe: SparseMoe): { up: Affine; gate?: Affine; out: Affine } {
  const { experts, width, hidden } = moe;
  const affine = (name: string, from: number, to: number, std: number): Affine => ({
    matrix: b.param(b.path(name), [experts, from, to], normal(std)),
    ...(moe.bias ? { bias: b.param(b.path(`${name}_bias`), [experts, to], zeros, { decay: false }) } : {}),
  });
  return {
    up: affine('in', width, hidden, 0.02),
    ...(moe.gated ? { gate: affine('gate', width, hidden, 0.02) } : {}),
    out: affine('out', hidden, width, moe.outStd),
  };
}

/** The experts as a batch of networks, each on its own rows of `x`. */
function network(
  moe: SparseMoe,
  { up, gate, out }: ReturnType<typeof weightsOf>,
  x: Tensor,
  matrix: (all: Tensor) => Tensor,
  vector: (all: Tensor) => Tensor,
): Tensor {
  const apply = (part: Affine, y: Tensor): Tensor => {
    const product = y.matmul(matrix(part.matrix));
    return part.bias ? product.add(vector(part.bias)) : product;
  };
  const act = gate ? activate(moe.act, apply(gate, x)).mul(apply(up, x)) : activate(moe.act, apply(up, x));
  return apply(out, act);
}

/** Share of the rows that each expert is chosen for, from router probabilities `[N * experts]`. */
export function expertLoads(probabilities: ArrayLike<number>, experts: number, topK = 1): Float64Array {
  const loads = new Float64Array(experts);
  const rows = probabilities.length / experts;
  for (let row = 0; row < rows; row++) {
    const order = Array.from({ length: experts }, (_, e) => e).sort(
      (a, c) => probabilities[row * experts + c]! - probabilities[row * experts + a]!,
    );
    for (const e of order.slice(0, topK)) loads[e]! += 1 / (rows * topK);
  }
  return loads;
}
