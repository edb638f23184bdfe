// The four ways a circuit grows: naming a pair, naming a run, naming what several sequences have in common, naming an
// exception. Each returns what it did, or nothing when no code gets shorter. Source: 1203.0088.
import type { CircuitState } from './_state.ts';
import { countTerm, LOG_GAMMA_HALF, type Tally, totalBits } from './code.ts';
import { Neighbours, type Step } from './pairs.ts';
import { overheadBits, referencesOf, type Term } from './term.ts';

/** One step of growth: what was named and the code length after it. */
export interface Growth {
  readonly kind: 'chunk' | 'loop' | 'abstract' | 'exception' | 'prune';
  readonly node: number;
  /** Bits of the whole code after the step. */
  readonly bits: number;
}

/** Least gain of a step in bits. */
export const LEAST_GAIN = 1e-9;
/** Pairs that are tried when none gains alone. */
const AHEAD = 16;
const AHEAD_TOKENS = 20_000;

/** Names pairs and runs until none shortens the code. */
export function chunk(state: CircuitState, lookAhead: boolean): Growth[] {
  const around = new Neighbours(state.streams);
  const done: Growth[] = [];
  let tally = state.tally();
  let bits = totalBits(state.code, tally);
  const apply = (step: Step, after: Tally): void => {
    const node = state.intern(termOf(step));
    around.replace(step, node);
    tally = after;
    bits = totalBits(state.code, tally);
    done.push({ kind: step.kind === 'pair' ? 'chunk' : 'loop', node, bits });
  };
  for (;;) {
    const steps = around.best(state.code === 'uniform' ? 4 : 32);
    const best = shortest(state, around, tally, steps);
    if (best !== undefined && best.bits < bits - LEAST_GAIN) {
      apply(best.step, best.tally);
      continue;
    }
    const pair = lookAhead && around.length <= AHEAD_TOKENS ? ahead(state, around, tally, bits) : undefined;
    if (pair === undefined) break;
    // The first of the two alone makes the code longer; it counts once the second is there.
    const [first, second] = pair;
    const held = done.length;
    apply(first.step, first.tally);
    done.length = held;
    const next = shortest(state, around, tally, around.best(second));
    apply(next!.step, next!.tally);
  }
  state.streams = around.streams();
  return done;
}

interface Weighed {
  readonly step: Step;
  readonly tally: Tally;
  readonly bits: number;
}

function shortest(state: CircuitState, around: Neighbours, tally: Tally, steps: readonly Step[]): Weighed | undefined {
  let best: Weighed | undefined;
  for (const step of steps) {
    const after = tallyAfter(state, around, tally, step);
    const bits = totalBits(state.code, after);
    if (best === undefined || bits < best.bits) best = { step, tally: after, bits };
  }
  return best;
}

/** A step that makes the code longer but lets another one make it shorter than before. */
function ahead(state: CircuitState, around: Neighbours, tally: Tally, bits: number): [Weighed, number] | undefined {
  const tokens = around.streams();
  for (const step of around.best(AHEAD)) {
    if (state.find(termOf(step)) !== undefined) continue;
    const after = tallyAfter(state, around, tally, step);
    const trial = new Neighbours(tokens);
    trial.replace(step, state.terms.length);
    const next = shortest(state, trial, after, trial.best(AHEAD));
    if (next !== undefined && next.bits < bits - LEAST_GAIN) {
      return [{ step, tally: after, bits: totalBits(state.code, after) }, AHEAD];
    }
  }
  return undefined;
}

function termOf(step: Step): Term {
  return step.kind === 'pair'
    ? { kind: 'seq', parts: [step.a, step.b] }
    : { kind: 'rep', of: step.a, count: step.length };
}

function tallyAfter(state: CircuitState, around: Neighbours, tally: Tally, step: Step): Tally {
  const term = termOf(step);
  const known = state.find(term);
  let { logCounts } = tally;
  if (state.code === 'adaptive') {
    const change = (symbol: number, by: number): void => {
      const n = around.occurrences(symbol);
      logCounts += countTerm(n + by) - countTerm(n);
    };
    if (step.a === step.b) change(step.a, -step.uses * step.length);
    else for (const s of [step.a, step.b]) change(s, -step.uses);
    if (known === undefined) logCounts += countTerm(step.uses);
    else change(known, step.uses);
  }
  const fresh = known === undefined;
  return {
    symbols: tally.symbols + (fresh ? 1 : 0),
    slots: tally.slots + (fresh ? referencesOf(term).length : 0),
    overhead: tally.overhead + (fresh ? overheadBits(term) : 0),
    length: tally.length - step.saved,
    ends: tally.ends,
    logCounts,
  };
}

const LONGEST_BODY = 16;

/** Names the sequence with one or two holes that most shortens the sequences it stands for. */
export function abstract(state: CircuitState): Growth | undefined {
  const buckets = new Map<string, { body: number[]; instances: { id: number; args: number[] }[] }>();
  state.terms.forEach((term, id) => {
    if (term?.kind !== 'seq' || term.parts.length < 3 || term.parts.length > LONGEST_BODY) return;
    for (const { body, args } of generalisations(term.parts)) {
      const key = body.join(' ');
      const bucket = buckets.get(key) ?? { body, instances: [] };
      bucket.instances.push({ id, args });
      buckets.set(key, bucket);
    }
  });
  const tally = state.tally();
  const before = totalBits(state.code, tally);
  let best: { term: Term; instances: { id: number; args: number[] }[]; bits: number } | undefined;
  for (const { body, instances } of buckets.values()) {
    if (instances.length < 2) continue;
    const arity = instances[0]!.args.length;
    const term: Term = { kind: 'lam', arity, body };
    let slots = tally.slots + referencesOf(term).length;
    let overhead = tally.overhead + overheadBits(term);
    for (const { id } of instances) {
      const old = state.terms[id] as Term & { kind: 'seq' };
      slots += 1 + arity - old.parts.length;
      overhead += 2 - overheadBits(old);
    }
    const logCounts = tally.logCounts + LOG_GAMMA_HALF;
    const bits = totalBits(state.code, { ...tally, symbols: tally.symbols + 1, slots, overhead, logCounts });
    if (bits < (best?.bits ?? before) - LEAST_GAIN) best = { term, instances, bits };
  }
  if (best === undefined) return undefined;
  const lam = state.intern(best.term);
  for (const { id, args } of best.instances) state.redefine(id, { kind: 'app', lam, args });
  return { kind: 'abstract', node: lam, bits: best.bits };
}

/** A sequence with one part, all parts equal to it, or two parts taken out; at least one part stays. */
function generalisations(parts: readonly number[]): { body: number[]; args: number[] }[] {
  const out: { body: number[]; args: number[] }[] = [];
  const seen = new Set<string>();
  const add = (body: number[], args: number[]): void => {
    const key = body.join(' ');
    if (seen.has(key) || body.every((p) => p < 0)) return;
    seen.add(key);
    out.push({ body, args });
  };
  for (let i = 0; i < parts.length; i++) {
    add(parts.with(i, -1), [parts[i]!]);
    add(
      parts.map((p) => (p === parts[i] ? -1 : p)),
      [parts[i]!],
    );
    if (parts.length > 10) continue;
    for (let j = i + 1; j < parts.length; j++) {
      if (parts[i] !== parts[j]) add(parts.with(i, -1).with(j, -2), [parts[i]!, parts[j]!]);
    }
  }
  return out;
}

const EXCEPTION_BASES = 32;
const EXCEPTION_LENGTH: readonly [number, number] = [4, 64];

/** Names the stretch of a stream that equals a node but for one place, where that is shorter. */
export function exception(state: CircuitState): Growth | undefined {
  const bases = state.terms
    .map((term, id) => ({ term, id }))
    .filter(({ term }) => term !== undefined && (term.kind === 'seq' || term.kind === 'rep' || term.kind === 'app'))
    .map(({ id }) => ({ id, length: state.lengthOf(id) }))
    .filter(({ length }) => length >= EXCEPTION_LENGTH[0] && length <= EXCEPTION_LENGTH[1])
    .sort((a, b) => b.length - a.length || a.id - b.id)
    .slice(0, EXCEPTION_BASES)
    .map((b) => ({ ...b, symbols: state.expand(b.id) }));
  if (bases.length === 0) return undefined;
  type Window = { stream: number; from: number; to: number };
  const found = new Map<string, { term: Term & { kind: 'not' }; windows: Window[] }>();
  state.streams.forEach((tokens, stream) => {
    const flat: number[] = [];
    const starts = tokens.map((t) => {
      const at = flat.length;
      for (const s of state.expand(t)) flat.push(s);
      return at;
    });
    const tokenAt = new Map(starts.map((at, i) => [at, i]));
    tokenAt.set(flat.length, tokens.length);
    starts.forEach((at, from) => {
      for (const base of bases) {
        const to = tokenAt.get(at + base.length);
        if (to === undefined || to - from < 2) continue;
        const position = onlyDifference(flat, at, base.symbols);
        if (position === undefined) continue;
        const term = { kind: 'not', base: base.id, position, value: flat[at + position]! } as const;
        const key = `${base.id} ${position} ${term.value}`;
        const group = found.get(key) ?? { term, windows: [] as Window[] };
        const last = group.windows[group.windows.length - 1];
        if (last === undefined || last.stream !== stream || last.to <= from) group.windows.push({ stream, from, to });
        found.set(key, group);
      }
    });
  });
  let best: { state: CircuitState; node: number; bits: number } | undefined;
  const before = state.bits();
  const saved = (g: { windows: Window[] }): number => g.windows.reduce((s, w) => s + w.to - w.from - 1, 0);
  const promising = [...found.values()].sort((a, b) => saved(b) - saved(a)).slice(0, 4);
  for (const { term, windows } of promising) {
    if (saved({ windows }) < 3) continue;
    const trial = state.copy();
    const node = trial.intern(term);
    for (const { stream, from, to } of windows.toReversed()) trial.streams[stream]!.splice(from, to - from, node);
    const bits = trial.bits();
    if (bits < (best?.bits ?? before) - LEAST_GAIN) best = { state: trial, node, bits };
  }
  if (best === undefined) return undefined;
  state.intern(best.state.terms[best.node]!);
  state.streams = best.state.streams;
  return { kind: 'exception', node: best.node, bits: best.bits };
}

/** The one place where a stretch differs from these symbols; undefined for none or several. */
function onlyDifference(flat: readonly number[], at: number, symbols: readonly number[]): number | undefined {
  let position: number | undefined;
  for (let i = 0; i < symbols.length; i++) {
    if (flat[at + i] === symbols[i]) continue;
    if (position !== undefined) return undefined;
    position = i;
  }
  return position;
}
