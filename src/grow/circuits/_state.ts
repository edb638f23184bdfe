// The nodes and streams of a circuit and what they cost. All steps of growth work on this; it checks nothing.
import { countTerm, LOG_GAMMA_HALF, type CodeKind, type Tally, totalBits } from './code.ts';
import { isVariable, overheadBits, referencesOf, type Symbol, type Term, termKey } from './term.ts';

export class CircuitState {
  readonly code: CodeKind;
  /** By node number; undefined where a node was removed. */
  readonly terms: (Term | undefined)[] = [];
  readonly ids = new Map<string, number>();
  streams: number[][] = [];
  /** Nodes that others outside refer to. */
  readonly kept = new Set<number>();
  readonly #lengths = new Map<number, number>();

  constructor(code: CodeKind) {
    this.code = code;
  }

  /** The node of a term, new if need be. */
  intern(term: Term): number {
    const key = termKey(term);
    const known = this.ids.get(key);
    if (known !== undefined) return known;
    const id = this.terms.push(term) - 1;
    this.ids.set(key, id);
    return id;
  }

  find(term: Term): number | undefined {
    return this.ids.get(termKey(term));
  }

  /** Gives a node another term with the same expansion. */
  redefine(id: number, term: Term): void {
    this.terms[id] = term;
    this.ids.set(termKey(term), id);
  }

  remove(id: number): void {
    this.terms[id] = undefined;
    for (const [key, at] of this.ids) if (at === id) this.ids.delete(key);
    this.#lengths.delete(id);
  }

  get symbols(): number {
    return this.terms.reduce((n, t) => n + (t === undefined ? 0 : 1), 0);
  }

  /** Node numbers of what a node stands for, primitives only. */
  expand(id: number, args: readonly number[] = []): number[] {
    const out: number[] = [];
    this.#expandInto(id, args, out);
    return out;
  }

  /** Primitives in the expansion of a node. */
  lengthOf(id: number): number {
    const known = this.#lengths.get(id);
    if (known !== undefined) return known;
    const term = this.terms[id]!;
    const sum = (parts: readonly number[]): number => parts.reduce((s, p) => s + this.lengthOf(p), 0);
    let length: number;
    if (term.kind === 'prim') length = 1;
    else if (term.kind === 'seq') length = sum(term.parts);
    else if (term.kind === 'rep') length = term.count * this.lengthOf(term.of);
    else if (term.kind === 'not') length = this.lengthOf(term.base);
    else if (term.kind === 'lam') length = sum(term.body.filter((p) => !isVariable(p)));
    else {
      const { body } = this.terms[term.lam] as Term & { kind: 'lam' };
      length = sum(body.map((p) => (isVariable(p) ? term.args[-1 - p]! : p)));
    }
    this.#lengths.set(id, length);
    return length;
  }

  valueOf(id: number): Symbol {
    return (this.terms[id] as Term & { kind: 'prim' }).value;
  }

  tally(): Tally {
    let slots = 0;
    let overhead = 0;
    for (const term of this.terms) {
      if (term === undefined) continue;
      slots += referencesOf(term).length;
      overhead += overheadBits(term);
    }
    const length = this.streams.reduce((s, x) => s + x.length, 0);
    const symbols = this.symbols;
    let logCounts = 0;
    if (this.code === 'adaptive') {
      const counts = new Map<number, number>();
      for (const stream of this.streams) for (const s of stream) counts.set(s, (counts.get(s) ?? 0) + 1);
      for (const n of counts.values()) logCounts += countTerm(n);
      logCounts += (symbols - counts.size) * LOG_GAMMA_HALF;
    }
    return { symbols, slots, overhead, length, ends: this.streams.length, logCounts };
  }

  bits(): number {
    return totalBits(this.code, this.tally());
  }

  /** How often each node is named, in streams and in other nodes. */
  uses(): Map<number, number> {
    const uses = new Map<number, number>();
    const count = (id: number): void => void uses.set(id, (uses.get(id) ?? 0) + 1);
    for (const stream of this.streams) stream.forEach(count);
    for (const term of this.terms) if (term !== undefined) referencesOf(term).forEach(count);
    return uses;
  }

  copy(): CircuitState {
    const out = new CircuitState(this.code);
    out.terms.push(...this.terms);
    for (const [key, id] of this.ids) out.ids.set(key, id);
    out.streams = this.streams.map((s) => [...s]);
    for (const id of this.kept) out.kept.add(id);
    return out;
  }

  #expandInto(id: number, args: readonly number[], out: number[]): void {
    const term = this.terms[id]!;
    const each = (parts: readonly number[], given: readonly number[]): void => {
      for (const p of parts) {
        if (!isVariable(p)) this.#expandInto(p, [], out);
        else if (given[-1 - p] !== undefined) this.#expandInto(given[-1 - p]!, [], out);
      }
    };
    if (term.kind === 'prim') out.push(id);
    else if (term.kind === 'seq') each(term.parts, []);
    else if (term.kind === 'lam') each(term.body, args);
    else if (term.kind === 'app') each((this.terms[term.lam] as Term & { kind: 'lam' }).body, term.args);
    else if (term.kind === 'rep') for (let i = 0; i < term.count; i++) this.#expandInto(term.of, [], out);
    else {
      const at = out.length + term.position;
      this.#expandInto(term.base, [], out);
      out[at] = term.value;
    }
  }
}
