// The contract between the mind and everything it can call: modules with a task and a cost, answers with attributes and
// proofs, nested calls, replies and their traces. Types only; the engine that honours them is mind.ts.
import type { EventId, Provenance } from '../memory/index.ts';
import type { OneHotGroup } from '../sketch/index.ts';
import type { Rng } from '../tensor/index.ts';

export type { EventId, Provenance };

/** Expected cost of one call. All modules of one task state it in the same unit. */
export interface Cost {
  readonly unit: 'flop' | 'ms' | 'usd';
  readonly amount: number;
}

/** What a call really cost. Only `flop` and `ms` are always there; 0 where a module has none. */
export interface Usage {
  readonly flop: number;
  /** Wall-clock milliseconds of the module itself, nested calls excluded. Filled in by the mind when left out. */
  readonly ms: number;
  readonly usd?: number;
  readonly tokensIn?: number;
  readonly tokensOut?: number;
  readonly tokensThought?: number;
}

/** Anything that can be written as JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A proof that an independent checker replays. `kind` names the checker, `data` is what it reads. */
export interface Certificate {
  readonly kind: string;
  readonly data: Json;
}

/** What one module says to one input. */
export interface Answer<O> {
  /** `undefined`: the module abstains, and the next one is tried. */
  readonly output: O | undefined;
  /** What the sketch keeps of this object: [m], non-negative, Euclidean norm at most 1. */
  readonly attributes: Float32Array;
  /** Blocks of `attributes` that are one-hot: a class is kept as one of `size` ones from `start` on. */
  readonly groups?: readonly OneHotGroup[];
  /** Calibrated probability that the output is right. */
  readonly confidence?: number;
  readonly certificate?: Certificate;
  /** What it really cost. The mind measures `ms` itself when it is left out. */
  readonly usage: Omit<Usage, 'ms'> & { readonly ms?: number };
  /** Why it abstained, or what it wants to have remembered in words; short. */
  readonly note?: string;
  /** Compact bytes that are stored with the event when this module is the root of it. */
  readonly receipt?: Uint8Array;
}

/**
 * Anything that turns an input into an output at a known cost. Modules with the same task compete for its inputs.
 *
 * @example
 * const double: Module<number, number> = {
 *   id: 'double/plain', task: 'double', cost: { unit: 'flop', amount: 1 },
 *   run: async (x) => ({ output: 2 * x, attributes: new Float32Array([1]), confidence: 1, usage: { flop: 1 } }),
 * };
 */
export interface Module<I, O> {
  /** `<task>/<variant>`, for example `read-digit/small`. */
  readonly id: string;
  readonly task: string;
  readonly cost: Cost;
  /** False when this module cannot take this input at all. Must be cheap. Default: it takes every input. */
  accepts?(input: I): boolean;
  run(input: I, call: Call): Promise<Answer<O>>;
  /** Many inputs at once: as many answers, in the same order. For modules that make no nested calls. */
  runBatch?(inputs: readonly I[], call: Call): Promise<readonly Answer<O>[]>;
}

/** What may still be spent. Shared by all calls below one `ask`. */
export interface Budget {
  readonly flop: number;
  readonly ms: number;
  readonly usd: number;
}

/** Limits of one `ask`. Everything is optional; what is left out is unlimited. */
export interface Limits {
  readonly maxFlop?: number;
  readonly maxMs?: number;
  readonly maxUsd?: number;
  /** Module ids that may answer (for the asked task only). */
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  /** Answers less sure than this are passed on to the next module; default: the router's own thresholds. */
  readonly minConfidence?: number;
  readonly signal?: AbortSignal;
  /** False: do not keep an event. Default true. */
  readonly remember?: boolean;
  /** Where the input came from; stored with the event. */
  readonly provenance?: Provenance;
}

/** Options of a nested call. */
export interface NestedLimits extends Pick<Limits, 'allow' | 'deny' | 'minConfidence'> {
  /** Share of this input in the sketch of the caller; shares are normalised to sum 1. 0: traced, not sketched. Default 1. */
  readonly weight?: number;
}

/** Handed to a running module: nested calls go back through the mind, so they are routed, traced and sketched. */
export interface Call {
  readonly rng: Rng;
  readonly budget: Budget;
  readonly signal: AbortSignal;
  /** Tasks from the root to this call. */
  readonly path: readonly string[];
  ask<O>(task: string, input: unknown, weight?: number | NestedLimits): Promise<Reply<O>>;
  /** All inputs at once: one batched run per module where the module offers it. Replies keep the order of the inputs. */
  askAll<O>(task: string, inputs: readonly unknown[], weight?: number | NestedLimits): Promise<Reply<O>[]>;
  /** Makes an existing reply an input of this call with the given weight (0 takes it out of the sketch again). */
  use(reply: Reply<unknown>, weight: number): void;
  /** Corrects what the sketch keeps of an answer that turned out otherwise, for example after a repair. */
  amend(node: TraceNode, attributes: Float32Array): void;
}

/** Why one module was tried, and how that ended. */
export interface Attempt {
  readonly module: string;
  readonly outcome: 'answered' | 'abstained' | 'unsure' | 'unproved' | 'failed' | 'over-budget';
  readonly confidence?: number;
  readonly usage: Usage;
  readonly note?: string;
  /** Nested calls of an attempt that did not become the answer. They are charged, not sketched. */
  readonly calls?: readonly TraceInput[];
}

/** How the first module was picked. */
export interface RouteNote {
  readonly by: 'router' | 'cheapest' | 'only' | 'pinned';
  /** The module tried first. */
  readonly chosen: string;
  /** Modules in the order in which they would be tried. */
  readonly path: readonly string[];
  /** Estimated probability that the answer is wrong when starting with `chosen`, escalation included. */
  readonly expectedError?: number;
  /** 90 % interval of `expectedError`. */
  readonly interval?: readonly [number, number];
  /** Expected cost in the task's unit, escalation included. */
  readonly expectedCost?: number;
  readonly runnerUp?: { readonly module: string; readonly expectedError: number; readonly expectedCost: number };
  /** Cluster of the input. */
  readonly cluster?: number;
}

/** One object of the trace: which task, who answered, what the sketch keeps, what it was made from. */
export interface TraceNode {
  readonly task: string;
  /** The module that answered; `undefined` when none did. */
  readonly module: string | undefined;
  readonly attributes: Float32Array;
  readonly groups: readonly OneHotGroup[] | undefined;
  readonly confidence: number | undefined;
  readonly route: RouteNote;
  readonly attempts: readonly Attempt[];
  readonly inputs: readonly TraceInput[];
  /** All attempts of this node; nested calls excluded. */
  readonly usage: Usage;
  /** True when the caller corrected the attributes afterwards. */
  readonly amended: boolean;
}

export interface TraceInput {
  readonly node: TraceNode;
  readonly weight: number;
}

/** What comes back from `ask`. */
export interface Reply<O> {
  /** `undefined`: nobody answered; `reason` says why. */
  readonly output: O | undefined;
  readonly task: string;
  readonly module: string | undefined;
  readonly confidence: number | undefined;
  readonly certificate: Certificate | undefined;
  /** True when a certificate was there and the independent checker accepted it. */
  readonly proved: boolean;
  /** Everything that ran for this reply: all attempts and all nested calls. */
  readonly usage: Usage;
  readonly trace: TraceNode;
  /** What the answering module wants stored with the event. */
  readonly receipt?: Uint8Array;
  readonly reason?: string;
  /** The fault of the last module that threw, when nobody answered. */
  readonly failure?: { readonly code: string; readonly message: string; readonly hint?: string };
  /** Set on the reply of a top-level `ask` that was remembered: the event is durable. */
  readonly event?: EventId;
  /** How that event was kept. */
  readonly remembered?: {
    /** Running number in this memory. */
    readonly ordinal: number;
    readonly at: number;
    /** Stored bytes of its sketch. */
    readonly bytes: number;
    /** True when the same event was there already. */
    readonly duplicate: boolean;
    /** Who answered, why, at what cost, packed; `decodeReceipt` reads it. */
    readonly receipt: Uint8Array;
  };
}

/** What really happened: sent back to the mind so that it routes better. */
export interface Outcome {
  /** Whether the answer of the whole event was right. */
  readonly right?: boolean;
  /** For nested calls: task -> one verdict per call in trace order; null: unknown. */
  readonly nested?: Readonly<Record<string, readonly (boolean | null)[]>>;
}
