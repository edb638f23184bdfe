// A layer of small networks, one a bucket: a row is answered by the network of its bucket, so that a few active units do the
// work of many. After "Sparsely Activated Networks" (arXiv 2208.04461): with a locality-sensitive router each network only
// has to fit its part of the input space.
import { CairnError } from '../../errors.ts';
import { type Builder, concat, gather, scaledNormal, type Tensor, topk, zeros } from '../../tensor/index.ts';
import { hashBuckets, type LshHash, lshHash, type LshHashSettings } from './hash.ts';

/** How a row finds its network: by nearness, by a hash that ignores nearness, or by a trained softmax. */
export type ExpertRouter = 'lsh' | 'random' | 'learned';

/**
 * Parameters `up [tables * buckets, inDim, units]`, `up_bias`, `down [.., units, outDim]`, `down_bias`; with the `lsh` router
 * `hash.*`, with `learned` `router [inDim, buckets]`.
 */
export interface LshExperts {
  readonly inDim: number;
  readonly outDim: number;
  readonly buckets: number;
  /** Hidden units of one network: the active units of a row, times the tables. */
  readonly units: number;
  readonly tables: number;
  readonly router: ExpertRouter;
  readonly hash: LshHash;
}

export interface LshExpertsSettings extends LshHashSettings {
  readonly outDim: number;
  readonly units: number;
  readonly router?: ExpertRouter;
}

/**
 * Checks and completes a layer of experts.
 * @throws CairnError `bad_experts`
 * @example
 * const layer = lshExperts({ inDim: 6, outDim: 1, buckets: 16, units: 16, metric: 'halfspace' });
 * defineProgram((b) => b.output('y', forwardExperts(b, layer, b.input('x', [32, 6]))));
 */
export function lshExperts(settings: LshExpertsSettings): LshExperts {
  const { outDim, units, router = 'lsh' } = settings;
  for (const [name, n] of Object.entries({ outDim, units })) {
    if (!Number.isInteger(n) || n < 1)
      throw new CairnError('bad_experts', `Expected \`${name}\` of at least 1, got ${n}.`);
  }
  const hash =
    router === 'lsh'
      ? lshHash(settings)
      : { ...lshHash({ ...settings, buckets: 1, metric: 'angular' }), buckets: settings.buckets };
  if (!Number.isInteger(hash.buckets) || hash.buckets < 1) {
    throw new CairnError('bad_experts', `Expected \`buckets\` of at least 1, got ${hash.buckets}.`);
  }
  if (router === 'learned' && hash.tables !== 1) {
    throw new CairnError('bad_experts', `Expected one table with a learned router, got ${hash.tables}.`);
  }
  const { inDim, buckets, tables } = hash;
  return { inDim, outDim, buckets, units, tables, router, hash };
}

export interface ExpertsOptions {
  /** i32 `[N, tables]`: buckets from the host; needed with the `random` router, optional with `lsh`. */
  readonly route?: Tensor;
  /** Rows sorted on the host: one padded batched product instead of gathered matrices. See `sortRows`. */
  readonly sorted?: SortedInput;
}

/** Rows by network: i32 `rows [tables * buckets, capacity]` (N marks padding) and `slots [N, tables]`. */
export interface SortedInput {
  readonly rows: Tensor;
  readonly slots: Tensor;
}

/** x `[N, inDim]` to `[N, outDim]`: mean over the tables of the answers of the networks of each row's buckets. */
export function forwardExperts(b: Builder, layer: LshExperts, x: Tensor, options: ExpertsOptions = {}): Tensor {
  const { inDim, outDim, units, tables, buckets, router } = layer;
  const networks = tables * buckets;
  const rows = x.shape[0]!;
  const up = b.param(b.path('up'), [networks, inDim, units], perNetwork(Math.SQRT2));
  const upBias = b.param(b.path('up_bias'), [networks, units], zeros, { decay: false });
  const down = b.param(b.path('down'), [networks, units, outDim], perNetwork(1));
  const downBias = b.param(b.path('down_bias'), [networks, outDim], zeros, { decay: false });
  let gate: Tensor | undefined;
  let route = options.route;
  if (router === 'learned') {
    const p = x.matmul(b.param(b.path('router'), [inDim, buckets], scaledNormal(1), { decay: false })).softmax();
    const first = topk(p, 1);
    gate = first.values; // [N, 1]
    route ??= first.indices;
  }
  if (options.sorted) {
    const { rows: order, slots } = options.sorted;
    const capacity = order.shape[1]!;
    const padded = concat([x, b.constant(0).expand([1, inDim])], 0);
    const grouped = gather(padded, order.reshape([networks * capacity])).reshape([networks, capacity, inDim]);
    const hidden = grouped.matmul(up).add(upBias.unsqueeze(1)).relu();
    const answers = hidden
      .matmul(down)
      .add(downBias.unsqueeze(1))
      .reshape([networks * capacity, outDim]);
    return gated(averaged(gather(answers, slots)), gate);
  }
  if (!route) {
    if (router === 'random') {
      throw new CairnError('bad_experts', 'Expected `route` with the random router, got none.', {
        hint: 'Compute it with randomBuckets and feed it as an i32 input.',
      });
    }
    route = b.scope('hash', () => hashBuckets(b, layer.hash, x));
  }
  const first = b.constant(
    Array.from({ length: tables }, (_, t) => t * buckets),
    [1, tables],
    'i32',
  );
  const network = tables === 1 ? route : route.add(first); // [N, tables]
  const input = x.reshape([rows, 1, 1, inDim]);
  const hidden = input.matmul(gather(up, network)).add(gather(upBias, network).unsqueeze(2)).relu();
  const answers = hidden.matmul(gather(down, network)).add(gather(downBias, network).unsqueeze(2)); // [N, tables, 1, outDim]
  return gated(averaged(answers.reshape([rows, tables, outDim])), gate);
}

function averaged(answers: Tensor): Tensor {
  return answers.shape[1] === 1 ? answers.squeeze(1) : answers.mean(1);
}

function gated(y: Tensor, gate: Tensor | undefined): Tensor {
  return gate ? y.mul(gate) : y;
}

/** Normal with variance `gain^2 / inputs` for a stack of matrices `[count, inputs, outputs]`. */
function perNetwork(gain: number): ReturnType<typeof scaledNormal> {
  return (rng, shape) => {
    const out = new Float64Array(shape.reduce((n, d) => n * d, 1));
    rng.fillNormal(out, gain / Math.sqrt(shape[1]!));
    return out;
  };
}

/** Rows sorted by network. */
export interface SortedRows {
  readonly capacity: number;
  /** `[tables * buckets, capacity]`; the number of rows marks padding. */
  readonly rows: Int32Array;
  /** `[N, tables]`: where each row's answers are. */
  readonly slots: Int32Array;
}

/**
 * Sorts rows by network on the host.
 * @param route buckets `[N * tables]`
 * @param capacity rows of the fullest network at least; default: exactly those
 * @throws CairnError `over_capacity`
 */
export function sortRows(
  layer: Pick<LshExperts, 'buckets' | 'tables'>,
  route: Int32Array,
  capacity?: number,
): SortedRows {
  const { buckets, tables } = layer;
  const count = route.length / tables;
  const network = (i: number): number => route[i]! + (i % tables) * buckets;
  const loads = new Int32Array(tables * buckets);
  for (let i = 0; i < route.length; i++) loads[network(i)]!++;
  const fullest = Math.max(1, ...loads);
  const room = capacity ?? fullest;
  if (fullest > room) {
    throw new CairnError('over_capacity', `Expected at most ${room} rows a network, got ${fullest}.`, {
      hint: 'Give a larger capacity.',
    });
  }
  const rows = new Int32Array(tables * buckets * room).fill(count);
  const slots = new Int32Array(route.length);
  loads.fill(0);
  for (let i = 0; i < route.length; i++) {
    const slot = network(i) * room + loads[network(i)]!++;
    rows[slot] = Math.floor(i / tables);
    slots[i] = slot;
  }
  return { capacity: room, rows, slots };
}

/** Floating-point operations of one row: the active networks and what it takes to find them. */
export function expertFlops(layer: LshExperts): number {
  const { inDim, outDim, units, tables, buckets, router, hash } = layer;
  const find = router === 'random' ? 0 : 2 * inDim * (router === 'lsh' ? hash.hashes * tables : buckets);
  return find + tables * 2 * units * (inDim + outDim);
}
