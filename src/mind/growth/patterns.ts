// Patterns that recur in what events say as streams of symbols: chains of deductions, chains of calls. A circuit names them
// where that shortens the whole code; it is grown from all events anew, so nothing of a forgotten event can stay in it.
import { Rng } from '../../tensor/index.ts';
import type { EventId, StoredEvent } from '../../memory/index.ts';
import { type CircuitFigures, type CircuitTask, run } from './_circuit-job.ts';
import { beside, runJob } from './_job.ts';
import type { CircuitGrowth, GrowthPolicy } from './types.ts';

/** Where streams of symbols come from. */
export interface StreamSource {
  /** Short: `deductions`. */
  readonly name: string;
  /** What one stream is: `chains of deductions, each enabled by the one before`. */
  readonly about: string;
  /** The streams of one event; empty where it has none. */
  streamsOf(event: StoredEvent): readonly (readonly string[])[];
}

/** One event in five takes no part, to see whether the patterns hold beyond those they were found in. */
const HELD_OUT = 0.2;

/** Streams of some events, with the events that have any. */
export interface StreamSet {
  readonly source: StreamSource;
  readonly events: EventId[];
  readonly learn: (readonly string[])[];
  readonly heldOut: (readonly string[])[];
}

/** An empty set, to be filled event by event. */
export function streamSet(source: StreamSource): StreamSet {
  return { source, events: [], learn: [], heldOut: [] };
}

/** Adds the streams of one event. Which events are held out depends on their ids and the seed alone. */
export function addStreams(set: StreamSet, event: StoredEvent, seed: string): void {
  const own = set.source.streamsOf(event).filter((s) => s.length > 0);
  if (own.length === 0) return;
  set.events.push(event.id);
  (isHeldOut(event.id, seed) ? set.heldOut : set.learn).push(...own);
}

function isHeldOut(id: EventId, seed: string): boolean {
  return new Rng(seed).fork('growth/held-out').fork(id).uniform() < HELD_OUT;
}

/** So few take some milliseconds: less than a process needs to start. */
const FEW_SYMBOLS = 1500;

/** Grows a circuit from a set of streams, in a process of its own where it takes long. */
export async function growCircuit(
  set: StreamSet,
  base: Pick<CircuitGrowth, 'id' | 'name' | 'at'>,
  seed: string,
  policy: GrowthPolicy,
): Promise<CircuitGrowth> {
  const task: CircuitTask = { streams: set.learn, heldOut: set.heldOut, seed };
  const symbols = [...set.learn, ...set.heldOut].reduce((sum, s) => sum + s.length, 0);
  const figures =
    symbols <= FEW_SYMBOLS
      ? run(task)
      : await runJob<CircuitTask, CircuitFigures>(beside('./_circuit-job.ts', import.meta.url), task, policy);
  const saved = figures.bitsBefore - figures.bitsAfter;
  const found = figures.nodeCount > 0;
  const { id, name, at } = base;
  return {
    id,
    kind: 'circuit',
    name,
    status: found ? 'standing' : 'declined',
    ...(found ? {} : { because: 'no name would shorten the code' }),
    at,
    events: set.events.length,
    ...figures,
    says: found
      ? `${figures.nodeCount} patterns in ${set.source.about} save ${Math.round(saved)} of ${Math.round(figures.bitsBefore)} bits.`
      : `Nothing recurs in ${set.source.about} of ${set.events.length} events.`,
  };
}
