// What the routing page asks the server for. Shapes follow the answers of /api/models and /api/route/*.
import { signal } from '@preact/signals';
import type { ConfigFileView as ConfigFile } from '../../../src/serve/gateway/config-file.ts';
import type { OutcomesOverTime as Outcomes } from '../../../src/serve/gateway/outcomes-over-time.ts';
import type { OwnCurve } from '../../../src/serve/gateway/own-traffic.ts';
import type { ProfileView } from '../../../src/serve/gateway/profiles.ts';
import { call, post } from '../api.ts';

export type { ConfigFile, OwnCurve, ProfileView };

export interface OutcomesOverTime extends Outcomes {
  /** Whether the latest prompts are of the kinds that were labelled. */
  readonly prompts?: { readonly requests: number; readonly variation: number; readonly alarm: boolean };
}

export interface ModelRow {
  readonly id: string;
  readonly provider: string;
  readonly priceIn: number;
  readonly priceOut: number;
  readonly health: 'closed' | 'open' | 'half-open';
  readonly inFlight: number;
  readonly profiled: boolean;
  readonly meanError?: number;
  readonly labelled?: number;
  readonly embeddings: boolean;
  readonly profile?: ProfileView | string;
}

export interface ArmView {
  readonly id: string;
  readonly expectedError?: number;
  readonly expectedCost: number;
}

export interface Decision {
  readonly id: string;
  readonly at: number;
  readonly asked: string;
  readonly model: string;
  readonly by: string;
  readonly cluster?: number;
  readonly clusterShare?: number;
  readonly expectedError?: number;
  readonly interval?: readonly [number, number];
  readonly arms: readonly ArmView[];
  readonly attempts: readonly { readonly arm: string; readonly outcome: string; readonly ms: number }[];
  readonly removed: Readonly<Record<string, readonly string[]>>;
  readonly sticky?: string;
  readonly cache?: {
    readonly result: string;
    readonly ageMs?: number;
    readonly savedUsd?: number;
    readonly similarity?: number;
  };
  readonly fellBack: boolean;
  readonly status: number;
  readonly code?: string;
  readonly stream: boolean;
  readonly costUsd?: number;
  readonly savedUsd?: number;
  readonly reference?: string;
  readonly promptTokens?: number;
  readonly completionTokens?: number;
  readonly ms: number;
  readonly overheadMs: number;
  readonly outcome?: number;
}

/** What outcomes taught, and what is promised. */
export interface LearningView {
  readonly judge: string;
  readonly outcomes: number;
  readonly learnedWeight: number;
  readonly guarantee: { readonly kind: string; readonly says: string };
}

/** Answers that are given again. */
export interface KeptView {
  readonly exact: boolean;
  readonly semantic: boolean;
  readonly entries: number;
  readonly bytes: number;
  readonly savedUsd: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly falseHits?: {
    readonly threshold?: number;
    readonly checks: number;
    readonly disagreed: number;
    readonly rate: number;
    readonly interval: readonly [number, number];
    readonly limit: number;
    readonly why?: string;
  };
}

export interface GatewayTotals {
  readonly requests: number;
  readonly failed: number;
  readonly fallbacks: number;
  readonly usd: number;
  readonly savedUsd: number;
  readonly overheadMs: number;
  readonly models: readonly { readonly model: string; readonly requests: number; readonly usd: number }[];
  readonly reference?: string | null;
  readonly router?: string | null;
}

export type FittedCurve =
  | { readonly fitted: false }
  | {
      readonly fitted: true;
      readonly version: string;
      readonly prompts: number;
      readonly point: MeasuredPoint;
      readonly best: { readonly id: string; readonly error: number; readonly cost: number };
      readonly points: readonly MeasuredPoint[];
    };

export interface MeasuredPoint {
  readonly lambda: number;
  readonly error: number;
  readonly errorInterval: readonly [number, number];
  readonly cost: number;
}

/** Newest first. */
export const decisions = signal<readonly Decision[]>([]);
export const gatewayTotals = signal<GatewayTotals | null>(null);

const KEPT = 60;

/** Takes decisions into the list, newest first, each once. */
export function addDecisions(more: readonly Decision[]): void {
  const known = new Map(decisions.value.map((d) => [d.id, d]));
  for (const decision of more) known.set(decision.id, decision);
  decisions.value = [...known.values()].sort((a, b) => b.at - a.at).slice(0, KEPT);
}

/** Ids of models may hold slashes, which stay. */
const path = (model: string): string => model.split('/').map(encodeURIComponent).join('/');

export const routingApi = {
  models: () => call<{ models: ModelRow[] }>('/api/models'),
  decisions: () => call<{ decisions: Decision[] }>(`/api/route/decisions?limit=${KEPT}`),
  totals: () => call<GatewayTotals>('/api/route/totals'),
  ownCurve: () => call<OwnCurve>('/api/route/own-curve'),
  curve: () => call<FittedCurve>('/api/route/curve'),
  kept: () => call<KeptView>('/api/cache'),
  learning: () => call<LearningView>('/api/route/learning'),
  outcomes: () => call<OutcomesOverTime>('/api/route/outcomes'),
  file: () => call<ConfigFile>('/api/gateway/file'),
  write: (version: string, config: unknown, check = false) =>
    call<ConfigFile>('/api/gateway/file', {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ version, config, check }),
    }),
  add: (model: object, how: { readonly dryRun: boolean; readonly yes: boolean }) =>
    post<{ profile: ProfileView }>('/api/models', { model, ...how }),
  remove: (model: string) => call<{ removed: boolean }>(`/api/models/${path(model)}`, { method: 'DELETE' }),
  cancel: (model: string) => call<object>(`/api/models/${path(model)}?only=profile`, { method: 'DELETE' }),
  tell: (event: string, outcome: number) =>
    post<{ taught: boolean; why?: string }>('/api/route/feedback', { event, outcome }),
  untell: (event: string) =>
    call<{ forgotten: boolean }>(`/api/route/feedback/${encodeURIComponent(event)}`, { method: 'DELETE' }),
  dryRun: (prompt: string) =>
    post<Omit<Decision, 'id'> & { ask: string; inTokens: number }>('/api/route/explain', { prompt }),
};
