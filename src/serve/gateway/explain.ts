// What a decision says for itself: the headers of an answer, and the record that is kept of it. No text of a prompt in either.
import type { CacheNote } from './answers/index.ts';
import type { Answered, Attempt } from './run.ts';
import type { Plan, PlannedArm } from './plan.ts';
import type { Arm } from './pool.ts';

/** One decision as it is kept. */
export interface DecisionRecord {
  readonly id: string;
  readonly at: number;
  readonly asked: string;
  readonly model: string;
  readonly by: Plan['by'];
  readonly router?: string;
  readonly cluster?: number;
  readonly clusterShare?: number;
  readonly expectedError?: number;
  readonly interval?: readonly [number, number];
  readonly lambda?: number;
  readonly arms: readonly {
    readonly id: string;
    readonly expectedError?: number;
    readonly expectedCost: number;
    readonly score?: number;
  }[];
  readonly removed: Readonly<Record<string, readonly string[]>>;
  readonly sticky?: string;
  /** Where answers are kept: what became of it there. */
  readonly cache?: CacheNote;
  readonly fellBack: boolean;
  readonly attempts: readonly Attempt[];
  readonly key?: string;
  readonly stream: boolean;
  readonly status: number;
  readonly code?: string;
  readonly promptTokens?: number;
  readonly completionTokens?: number;
  readonly thoughtTokens?: number;
  readonly costUsd?: number;
  /** Against the reference model at the same tokens. */
  readonly savedUsd?: number;
  readonly reference?: string;
  readonly ms: number;
  /** Milliseconds of it that were not spent upstream. */
  readonly overheadMs: number;
  /** How the answer turned out, as somebody said. */
  readonly outcome?: number;
  readonly outcomeSource?: string;
  /** The choice between the fitted router and the one that outcomes corrected; what learning from the outcome needs. */
  readonly online?: {
    readonly fit: string;
    readonly arm: string;
    readonly safeArm: string;
    readonly learnedArm: string;
    readonly propensity: number;
    readonly learnedWeight: number;
    readonly relativeCost: number;
  };
  /** Assignment of the prompt to kinds, for learning from outcomes; never its text. */
  readonly phi?: readonly (readonly [kind: number, share: number])[];
}

/** Headers that are known before the answer. */
export function planHeaders(
  id: string,
  plan: Plan,
  chosen: PlannedArm,
  answered: Pick<Answered<unknown>, 'attempts' | 'fellBack'>,
): Record<string, string> {
  const { decision } = plan;
  const runnerUp = plan.arms.find((planned) => planned !== chosen);
  const headers: Record<string, string> = {
    'x-cairn-event': id,
    'x-cairn-model': ascii(chosen.arm.id),
    'x-cairn-arm': ascii(armName(chosen.arm)),
    'x-cairn-router': decision !== undefined && plan.by === 'uniroute' ? `uniroute/${decision.version}` : plan.by,
    'x-cairn-attempts': String(answered.attempts.length),
    'x-cairn-fallback': answered.fellBack ? ascii(plan.arms[0]!.arm.id) : 'none',
  };
  if (decision !== undefined && plan.by === 'uniroute') {
    headers['x-cairn-cluster'] = `${decision.cluster};share=${decision.clusterShare.toFixed(2)}`;
    headers['x-cairn-lambda'] = String(Number((plan.lambda ?? 0).toPrecision(4)));
    if (chosen.expectedError !== undefined) {
      const interval = chosen.interval?.map((end) => end.toFixed(3)).join(',');
      headers['x-cairn-expected-error'] =
        chosen.expectedError.toFixed(3) + (interval === undefined ? '' : ` [${interval}]`);
    }
  }
  if (runnerUp !== undefined) {
    const error = runnerUp.expectedError === undefined ? '' : runnerUp.expectedError.toFixed(3);
    headers['x-cairn-runner-up'] = `${ascii(runnerUp.arm.id)};${error};${runnerUp.expectedCost.toPrecision(3)}`;
  }
  if (plan.online !== undefined && plan.online.safeArm !== plan.online.learnedArm) {
    const { arm, learnedArm, learnedWeight } = plan.online;
    headers['x-cairn-learned'] =
      `${arm === learnedArm ? 'followed' : 'not followed'};weight=${learnedWeight.toFixed(3)}`;
  }
  if (plan.sticky !== undefined) headers['x-cairn-sticky'] = plan.sticky;
  return headers;
}

/** Headers of an answer that was kept. */
export function hitHeaders(id: string, arm: Arm, note: CacheNote): Record<string, string> {
  return {
    'x-cairn-event': id,
    'x-cairn-model': ascii(arm.id),
    'x-cairn-arm': ascii(armName(arm)),
    'x-cairn-router': 'cache',
    'x-cairn-attempts': '0',
    'x-cairn-fallback': 'none',
    ...cacheHeader(note),
  };
}

/** What became of a request among the kept answers. */
export function cacheHeader(note: CacheNote | undefined): Record<string, string> {
  if (note === undefined) return {};
  const parts: string[] = [note.result];
  if (note.why !== undefined) parts.push(`why=${note.why}`);
  if (note.similarity !== undefined) parts.push(`similarity=${note.similarity.toFixed(4)}`);
  if (note.ageMs !== undefined) parts.push(`age=${Math.round(note.ageMs / 1000)}s`);
  if (note.savedUsd !== undefined) parts.push(`saved=${money(note.savedUsd)}`);
  if (note.from !== undefined) parts.push(`event=${note.from}`);
  if (note.falseHits !== undefined) {
    const { rate, interval, checks, threshold } = note.falseHits;
    const [low, high] = interval;
    parts.push(`false-hits=${rate.toFixed(4)} [${low.toFixed(4)},${high.toFixed(4)}] of ${checks} checks`);
    if (threshold !== undefined) parts.push(`threshold=${threshold.toFixed(4)}`);
  }
  return { 'x-cairn-cache': parts.join(';') };
}

/** Headers, or the last chunk of a stream, that tell what it cost. */
export function costHeaders(
  cost: number | undefined,
  saved: number | undefined,
  reference: Arm | undefined,
): Record<string, string> {
  return {
    ...(cost === undefined ? {} : { 'x-cairn-cost-usd': money(cost) }),
    ...(saved === undefined || reference === undefined
      ? {}
      : { 'x-cairn-saved-usd': `${money(saved)};against=${ascii(reference.id)}` }),
  };
}

export function planRecord(
  plan: Plan,
  answered = plan.arms[0],
): Pick<
  DecisionRecord,
  | 'by'
  | 'router'
  | 'cluster'
  | 'clusterShare'
  | 'interval'
  | 'lambda'
  | 'arms'
  | 'removed'
  | 'sticky'
  | 'phi'
  | 'online'
> {
  const { decision } = plan;
  return {
    by: plan.by,
    ...(decision === undefined
      ? {}
      : {
          router: decision.version,
          cluster: decision.cluster,
          clusterShare: decision.clusterShare,
          ...(answered?.interval === undefined ? {} : { interval: answered.interval }),
          phi: sparse(decision.phi),
        }),
    ...(plan.lambda === undefined ? {} : { lambda: plan.lambda }),
    arms: plan.arms.map(({ arm, expectedError, expectedCost, score }) => ({
      id: arm.id,
      expectedCost,
      ...(expectedError === undefined ? {} : { expectedError }),
      ...(score === undefined ? {} : { score }),
    })),
    removed: plan.removed,
    ...(plan.sticky === undefined ? {} : { sticky: plan.sticky }),
    ...(plan.online === undefined ? {} : { online: plan.online }),
  };
}

function armName(arm: Arm): string {
  const budget = arm.config.thinkingBudget;
  return `${arm.config.provider}/${arm.config.model ?? arm.id}${budget === undefined ? '' : `;thinking=${budget}`}`;
}

function sparse(phi: Float64Array): [number, number][] {
  const out: [number, number][] = [];
  for (let kind = 0; kind < phi.length; kind++) {
    if (phi[kind]! >= 0.01) out.push([kind, Math.round(phi[kind]! * 1000) / 1000]);
  }
  return out;
}

/** Header values are ASCII without line ends, whatever a configuration says. */
function ascii(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?');
}

function money(usd: number): string {
  return usd === 0 ? '0' : usd.toPrecision(4);
}
