// Whether people still ask what the router was fitted on: kinds of the latest routed prompts against those of the labelled ones.
import { type DriftState, DriftWatch, type PromptRouter } from '../../route/index.ts';
import type { DecisionRecord } from './explain.ts';

const WINDOW = 1_000;

/** @param records decisions, latest first; no alarm before a thousand of them were routed by kind */
export function promptDrift(router: PromptRouter, records: readonly DecisionRecord[]): DriftState {
  const kinds = kindsOf(router);
  const watch = new DriftWatch(kinds, { window: WINDOW });
  const routed = records.filter((r) => r.by === 'uniroute' && r.cluster !== undefined && r.cluster < kinds.length);
  for (const { cluster } of routed.slice(0, WINDOW)) watch.learnOne(cluster!);
  return watch.state();
}

/** Labelled prompts of each kind, as decisions name kinds; made once a router. */
function kindsOf(router: PromptRouter): Float64Array {
  let counts = known.get(router);
  if (counts === undefined) {
    counts = new Float64Array(router.parts.map.k);
    const { features, inTokens } = router.parts.validation;
    const { dim } = router.parts.encoder;
    for (let j = 0; j < inTokens.length; j++) {
      const { cluster } = router.routeFeatures(features.subarray(j * dim, (j + 1) * dim), inTokens[j]!);
      counts[cluster] = counts[cluster]! + 1;
    }
    known.set(router, counts);
  }
  return counts;
}

const known = new WeakMap<PromptRouter, Float64Array>();
