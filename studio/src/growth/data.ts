// What the growth and concept pages ask the server for, and what is growing now.
import { signal } from '@preact/signals';
import type { ConceptView, Growth } from '../../../src/mind/growth/types.ts';
import { call, post } from '../api.ts';
import { complain } from '../state.ts';

export type {
  CircuitGrowth,
  ConceptGrowth,
  ConceptLoss,
  ConceptView,
  Estimate,
  Growth,
  ModuleGrowth,
} from '../../../src/mind/growth/types.ts';

export interface Growing {
  readonly growing: boolean;
  readonly says: string;
}

/** What is growing now. */
export const growing = signal<Growing>({ growing: false, says: '' });
/** Newest first; null until they were asked for. */
export const growths = signal<readonly Growth[] | null>(null);

export const growthApi = {
  list: () => call<Growing & { growths: Growth[] }>('/api/growth'),
  events: (id: string) => call<{ growth: Growth; events: string[] }>(`/api/growth/${encodeURIComponent(id)}?limit=24`),
  concept: (id: string) => call<ConceptView>(`/api/concepts/${encodeURIComponent(id)}`),
  grow: () => post<Growing>('/api/grow', { again: true }),
};

/** Asks for everything anew. */
export function refreshGrowth(): void {
  growthApi.list().then((answer) => {
    growing.value = { growing: answer.growing, says: answer.says };
    growths.value = answer.growths;
  }, complain);
}

/** The path of a concept's page. */
export function conceptPath(id: string): string {
  return `/concepts/${id}`;
}
