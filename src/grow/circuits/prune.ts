// Taking nodes back: those that nothing names go, those that are named too seldom are written out where they stand, and nodes
// that have become equal are one again. Never makes the code longer. Source: 1203.0088.
import type { CircuitState } from './_state.ts';
import { type Growth, LEAST_GAIN } from './steps.ts';
import { countTerm, LOG_GAMMA_HALF, type Tally, totalBits } from './code.ts';
import { overheadBits, referencesOf, type Term, termKey } from './term.ts';

/** Prunes until nothing changes. */
export function prune(state: CircuitState): Growth[] {
  const done: Growth[] = [];
  for (;;) {
    const steps = onePass(state);
    if (steps.length === 0) return done;
    done.push(...steps);
  }
}

function onePass(state: CircuitState): Growth[] {
  const done: Growth[] = [];
  let tally = state.tally();
  let bits = totalBits(state.code, tally);
  const places = placesOf(state);
  const inStreams = countsOf(state);
  const dead = new Set<number>();
  // Later nodes first: they are made of earlier ones.
  for (let id = state.terms.length - 1; id >= 0; id--) {
    const term = state.terms[id];
    if (term === undefined || term.kind === 'prim' || state.kept.has(id)) continue;
    const parts = writtenOut(state, term);
    const users = places.get(id) ?? new Set<number>();
    const streamed = inStreams.get(id) ?? 0;
    const used = users.size > 0 || streamed > 0;
    if (used && parts === undefined) continue;
    let slots = tally.slots - referencesOf(term).length;
    let overhead = tally.overhead - overheadBits(term);
    let inlinable = true;
    const rewritten = new Map<number, Term>();
    for (const user of users) {
      const old = state.terms[user]!;
      if (old.kind !== 'seq' && old.kind !== 'lam') {
        inlinable = false;
        break;
      }
      const replace = (list: readonly number[]): number[] => list.flatMap((p) => (p === id ? parts! : [p]));
      const next: Term =
        old.kind === 'seq' ? { ...old, parts: replace(old.parts) } : { ...old, body: replace(old.body) };
      rewritten.set(user, next);
      slots += referencesOf(next).length - referencesOf(old).length;
      overhead += overheadBits(next) - overheadBits(old);
    }
    if (!inlinable) continue;
    const after: Tally = {
      symbols: tally.symbols - 1,
      slots,
      overhead,
      length: tally.length + streamed * ((parts?.length ?? 1) - 1),
      ends: tally.ends,
      logCounts: state.code === 'adaptive' ? logCountsWithout(tally, inStreams, id, parts ?? []) : 0,
    };
    const next = totalBits(state.code, after);
    if (next >= bits - LEAST_GAIN) continue;
    for (const [user, changed] of rewritten) {
      state.redefine(user, changed);
      for (const p of new Set(referencesOf(changed))) {
        const known = places.get(p) ?? new Set<number>();
        known.add(user);
        places.set(p, known);
      }
    }
    for (const p of referencesOf(term)) places.get(p)?.delete(id);
    if (streamed > 0) {
      for (const p of parts!) inStreams.set(p, (inStreams.get(p) ?? 0) + streamed);
      inStreams.delete(id);
      state.streams = state.streams.map((s) => (s.includes(id) ? s.flatMap((t) => (t === id ? parts! : [t])) : s));
    }
    dead.add(id);
    state.terms[id] = undefined;
    tally = after;
    bits = next;
    done.push({ kind: 'prune', node: id, bits });
  }
  if (dead.size > 0) for (const [key, id] of state.ids) if (dead.has(id)) state.ids.delete(key);
  return [...done, ...joinEqual(state)];
}

/** What a node would be written out as; undefined for terms that have no such form. */
function writtenOut(state: CircuitState, term: Term): number[] | undefined {
  if (term.kind === 'seq') return [...term.parts];
  if (term.kind === 'rep' && term.count <= 16) return Array.from({ length: term.count }, () => term.of);
  if (term.kind === 'app') {
    const { body } = state.terms[term.lam] as Term & { kind: 'lam' };
    return body.map((p) => (p < 0 ? term.args[-1 - p]! : p));
  }
  return undefined;
}

function placesOf(state: CircuitState): Map<number, Set<number>> {
  const places = new Map<number, Set<number>>();
  state.terms.forEach((term, user) => {
    if (term === undefined) return;
    for (const p of referencesOf(term)) {
      const users = places.get(p) ?? new Set<number>();
      users.add(user);
      places.set(p, users);
    }
  });
  return places;
}

function countsOf(state: CircuitState): Map<number, number> {
  const counts = new Map<number, number>();
  for (const stream of state.streams) for (const s of stream) counts.set(s, (counts.get(s) ?? 0) + 1);
  return counts;
}

function logCountsWithout(
  tally: Tally,
  counts: ReadonlyMap<number, number>,
  id: number,
  parts: readonly number[],
): number {
  const uses = counts.get(id) ?? 0;
  let sum = tally.logCounts - countTerm(uses);
  if (uses === 0) return tally.logCounts - LOG_GAMMA_HALF;
  const more = new Map<number, number>();
  for (const p of parts) more.set(p, (more.get(p) ?? 0) + uses);
  for (const [p, n] of more) {
    const old = counts.get(p) ?? 0;
    sum += countTerm(old + n) - countTerm(old);
  }
  return sum;
}

/** Nodes whose terms have become equal are replaced by the first of them. */
function joinEqual(state: CircuitState): Growth[] {
  const first = new Map<string, number>();
  const same = new Map<number, number>();
  state.terms.forEach((term, id) => {
    if (term === undefined) return;
    const key = termKey(term);
    const other = first.get(key);
    if (other === undefined || state.kept.has(id)) first.set(key, id);
    else same.set(id, other);
  });
  if (same.size === 0) return [];
  const rename = (p: number): number => same.get(p) ?? p;
  state.streams = state.streams.map((s) => s.map(rename));
  state.terms.forEach((term, id) => {
    if (term !== undefined && referencesOf(term).some((p) => same.has(p))) state.redefine(id, renamed(term, rename));
  });
  for (const id of same.keys()) state.terms[id] = undefined;
  for (const [key, id] of state.ids) if (same.has(id)) state.ids.set(key, same.get(id)!);
  const bits = state.bits();
  return [...same.keys()].map((node) => ({ kind: 'prune' as const, node, bits }));
}

function renamed(term: Term, rename: (p: number) => number): Term {
  switch (term.kind) {
    case 'prim':
      return term;
    case 'seq':
      return { ...term, parts: term.parts.map(rename) };
    case 'rep':
      return { ...term, of: rename(term.of) };
    case 'lam':
      return { ...term, body: term.body.map((p) => (p < 0 ? p : rename(p))) };
    case 'app':
      return { ...term, lam: rename(term.lam), args: term.args.map(rename) };
    case 'not':
      return { ...term, base: rename(term.base), value: rename(term.value) };
    default:
      return term satisfies never;
  }
}
