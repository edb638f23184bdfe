// What the memory page asks the server for.
import type { MapComponent, MemoryMap } from '../../../src/mind/memory-map.ts';
import { call } from '../api.ts';

export type { MapComponent, MemoryMap };

export type Which = 'boards' | 'texts';

export interface MemoryStats {
  readonly events: number;
  readonly structures: number;
  readonly entities: number;
  readonly tombstones: number;
  readonly fileBytes: number;
  readonly bytesPerEvent: number;
  readonly bytes: Readonly<Record<string, number>>;
  readonly revision: number;
  readonly spec: { readonly dim: number; readonly store: string; readonly family: string };
}

export interface TextHit {
  readonly id: string;
  readonly text: string;
  readonly source: string;
  readonly score: number;
}

export const memoryApi = {
  map: (which: Which) => call<MemoryMap>(`/api/memory/map?which=${which}`),
  stats: (which: Which) => call<MemoryStats>(`/api/memory/stats?which=${which}`),
  recall: (text: string) => call<{ hits: TextHit[] }>(`/api/recall?text=${encodeURIComponent(text)}&k=20`),
  text: (id: string) => call<Record<string, unknown>>(`/api/texts/${encodeURIComponent(id)}`),
};

/** A component in words. */
export function nameOf(component: MapComponent): string {
  return component.label ?? `${component.module} ${component.key.toString(36).slice(-5)}`;
}
