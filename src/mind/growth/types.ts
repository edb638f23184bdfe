// What growth is told as: concepts that emerged, patterns that got names, modules that were made from compositions. Plain
// JSON, so that it is stored, sent and shown as it is. Types only.
import type { EventId } from '../../memory/index.ts';

export type GrowthKind = 'concept' | 'circuit' | 'module';

/**
 * - standing: in force.
 * - declined: looked for and not worth having; the figures say why.
 * - superseded: a later growth of the same name took its place.
 * - withdrawn: an event that it was made from was forgotten.
 */
export type GrowthStatus = 'standing' | 'declined' | 'superseded' | 'withdrawn';

interface GrowthBase {
  /** Unique, a rising number as text. */
  readonly id: string;
  readonly kind: GrowthKind;
  /** What it is of: a later growth of this name supersedes it. */
  readonly name: string;
  readonly status: GrowthStatus;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Why it is not standing any more, in words. */
  readonly because?: string;
  /** Events that it was made from and that are still remembered. */
  readonly events: number;
  /** In one sentence. */
  readonly says: string;
}

/** Objects of one module that belong together, found without labels. */
export interface ConceptGrowth extends GrowthBase {
  readonly kind: 'concept';
  readonly module: string;
  /** Its number in the book of its module. */
  readonly concept: number;
  /** Its node in the graph of the memory. */
  readonly node: number;
  /** Objects counted. */
  readonly objects: number;
  /** Different objects among them: nodes with an `is-a` edge. */
  readonly members: number;
  /** Signature bits of the bucket that it was found in, oldest cut first; empty for all objects of the module. */
  readonly bucket: string;
  /** Mean squared distance to the mean over mean squared norm. */
  readonly spread: number;
  /** Mean attributes. */
  readonly mean: readonly number[];
  readonly signature: ConceptShape;
}

/** The equations that hold in a concept, by their numbers. */
export interface ConceptShape {
  /** Features. */
  readonly size: number;
  /** Dimensions that members fill. */
  readonly rank: number;
  /** Independent equations that members satisfy. */
  readonly nullity: number;
  /** Largest residual of a member. */
  readonly threshold: number;
}

/** Patterns that recur in streams of symbols, named because that shortens the code. */
export interface CircuitGrowth extends GrowthBase {
  readonly kind: 'circuit';
  readonly streams: number;
  readonly symbols: number;
  /** Bits of the two-part code without and with the nodes. */
  readonly bitsBefore: number;
  readonly bitsAfter: number;
  /** Bits that are saved on the same symbols in random order: what frequencies alone give. */
  readonly savedShuffled: number;
  /** Streams that took no part, coded without and with the nodes; bits of names only. */
  readonly heldOut: { readonly streams: number; readonly bitsBefore: number; readonly bitsAfter: number };
  /** The most used ones. */
  readonly nodes: readonly PatternNode[];
  /** All nodes. */
  readonly nodeCount: number;
}

export interface PatternNode {
  /** What it stands for, symbols in order. */
  readonly pattern: readonly string[];
  /** How often it is named. */
  readonly uses: number;
  /** Symbols that it stands for. */
  readonly length: number;
  /** Bits that its name saves over spelling it out each time, its own definition paid. */
  readonly saved: number;
}

/** An estimate with a 90 % interval. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** A frequent composition of calls as a module of its own, if that is cheaper at equal quality. */
export interface ModuleGrowth extends GrowthBase {
  readonly kind: 'module';
  readonly task: string;
  /** Its id among the modules of the task. */
  readonly module: string;
  /** The chain of calls that it may stand for: modules in the order they were tried. */
  readonly composition: {
    readonly path: readonly string[];
    /** Calls of the task that took this chain, of all. */
    readonly calls: number;
    readonly of: number;
    /** Share of the task's cost that they made. */
    readonly costShare: number;
  };
  /** Operations of one call. */
  readonly flop: number;
  /** SHA-256 of the frozen weights; empty where nothing was kept. */
  readonly hash: string;
  readonly bytes: number;
  /** Examples it learned from; events and examples held out, whose inputs it never saw. */
  readonly learned: number;
  readonly heldOut: { readonly events: number; readonly examples: number };
  /** Mean cost of a held-out event with the routes in use, with the routes fitted anew but without it, and with it. */
  readonly cost: { readonly before: number; readonly refitted: number; readonly after: number };
  /** Wrong first answers among the held-out examples, before and after. */
  readonly errors: { readonly before: number; readonly after: number };
  /** Held-out events answered as a whole, before and after. */
  readonly answered: { readonly before: number; readonly after: number };
  /** Cost with it over cost before. */
  readonly costRatio: Estimate;
  /** Rate of wrong first answers with it minus before. */
  readonly errorChange: Estimate;
}

export type Growth = ConceptGrowth | CircuitGrowth | ModuleGrowth;

/** What to grow and from how much. */
export interface GrowthPolicy {
  /** Default: all three. */
  readonly kinds?: readonly GrowthKind[];
  /** The latest events that are looked at. Default 600. */
  readonly events?: number;
  /** With fewer events nothing is grown. Default 40; modules need four times as many. */
  readonly minEvents?: number;
  /** Rate of wrong answers that a module may add at most, as the upper end of the interval. Default 0.003. */
  readonly maxLoss?: number;
  /** Share of the cost that must be saved at least, as the upper end of the interval. Default 0.05. */
  readonly minSaving?: number;
  /** Look again also where little is new. Default false: circuits wait for a quarter more events, modules for twice as many. */
  readonly again?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (says: string) => void;
}

/** An object of an event that is a member of a concept. */
export interface ConceptMember {
  readonly event: EventId;
  readonly path: string;
}

/** A concept as it is now, and what it would lose. */
export interface ConceptView {
  readonly growth: ConceptGrowth;
  /** Members, one line for every object looked at, newest event first. */
  readonly members: readonly ConceptMember[];
  /** What is lost when the newest of these events is forgotten: one line for each event in `members`. */
  readonly losses: readonly ConceptLoss[];
  /** What is lost with the concept itself. */
  readonly lost: { readonly objects: number; readonly edges: number; readonly equations: number };
}

export interface ConceptLoss {
  readonly event: EventId;
  /** Its objects in the concept, and those that stay. */
  readonly objects: number;
  readonly left: number;
  /** How far the mean moves, as a share of its norm. */
  readonly shift: number;
  /** Similarity of the equations before and after, 1: the same. */
  readonly similarity: number;
  /** Growths that would be withdrawn, by id. */
  readonly withdrawn: readonly string[];
}

/** What a server needs of growth. */
export interface GrowthService {
  /** All growths, newest first. */
  list(): readonly Growth[];
  /** Throws `not_found`. */
  get(id: string): Growth;
  /** Events that a growth was made from and that are still remembered, oldest first. */
  eventsOf(id: string): readonly EventId[];
  /** Throws `not_found` for anything but a standing concept. */
  concept(id: string): Promise<ConceptView>;
  readonly growing: boolean;
  /** Throws `growing` when it is under way already. */
  grow(policy?: GrowthPolicy): Promise<Growth[]>;
}
