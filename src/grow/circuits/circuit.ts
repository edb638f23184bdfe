// A circuit that grows: streams of symbols are coded by nodes, and a node is added whenever that shortens the whole code. It
// compresses what repeats and gives it names; it does not predict. After "The Mind Grows Circuits" (arXiv 1203.0088).
import { CairnError } from '../../errors.ts';
import { CircuitState } from './_state.ts';
import { type CodeKind, nodeBits, streamBits } from './code.ts';
import { prune } from './prune.ts';
import { abstract, chunk, exception, type Growth } from './steps.ts';
import { expectSymbol, type Symbol, type Term } from './term.ts';

export interface CircuitOptions {
  /** How streams are coded; 'uniform' by default. */
  readonly code?: CodeKind;
  /** Looks one step ahead where no pair shortens the code alone; on by default, for streams of up to 20,000 names. */
  readonly lookAhead?: boolean;
  /** Whether functions and exceptions are looked for too; on by default. */
  readonly functions?: boolean;
}

/** A node as a user sees it. */
export interface CircuitNode {
  readonly id: number;
  readonly term: Term;
  /** How often it is named, in streams and in nodes. */
  readonly uses: number;
  /** Symbols that it stands for; those of a function without its holes. */
  readonly length: number;
}

export interface CodeLength {
  /** Bits in all. */
  readonly bits: number;
  readonly nodes: number;
  readonly streams: number;
}

const LONGEST_MATCH = 4096;

/**
 * Streams of symbols and the nodes grown from them.
 *
 * @example
 * const circuit = new Circuit();
 * circuit.feed('abcabcabcabcabcabcabcabcabc'.split(''));
 * circuit.grow();
 * circuit.nodes().length; // 2: abc, and it nine times
 */
export class Circuit {
  readonly #state: CircuitState;
  readonly #options: Required<CircuitOptions>;

  constructor(options: CircuitOptions = {}) {
    this.#options = { code: 'uniform', lookAhead: true, functions: true, ...options };
    this.#state = new CircuitState(this.#options.code);
  }

  /**
   * Appends a stream, coded by the nodes that are there: the longest that fits, from left to right.
   * @returns the number of the stream
   * @throws CairnError `bad_symbol`
   */
  feed(stream: Iterable<Symbol>): number {
    const symbols: number[] = [];
    for (const value of stream) {
      expectSymbol(value);
      symbols.push(this.#state.intern({ kind: 'prim', value }));
    }
    return this.#state.streams.push(this.#parse(symbols)) - 1;
  }

  /** Adds and takes back nodes while the code gets shorter; returns what was done, in order. */
  grow(): Growth[] {
    const state = this.#state;
    const { lookAhead, functions } = this.#options;
    const done: Growth[] = [];
    let bits = state.bits();
    for (;;) {
      const round = chunk(state, lookAhead);
      round.push(...prune(state));
      if (functions) {
        for (let step = abstract(state); step !== undefined; step = abstract(state)) round.push(step);
        for (let i = 0, step = exception(state); step !== undefined && i < 16; step = exception(state), i++)
          round.push(step);
        round.push(...prune(state));
      }
      done.push(...round);
      const now = state.bits();
      if (now > bits + 1e-6) {
        throw new CairnError('code_grew', `Expected a code of at most ${bits} bits after growing, got ${now}.`);
      }
      if (round.length === 0 || now >= bits - 1e-9) return done;
      bits = now;
    }
  }

  /** Nodes besides the primitives, oldest first. */
  nodes(): CircuitNode[] {
    const uses = this.#state.uses();
    return this.#state.terms.flatMap((term, id) =>
      term === undefined || term.kind === 'prim'
        ? []
        : [{ id, term, uses: uses.get(id) ?? 0, length: this.#state.lengthOf(id) }],
    );
  }

  /** Symbols that were fed, each once. */
  primitives(): { readonly id: number; readonly value: Symbol }[] {
    return this.#state.terms.flatMap((term, id) => (term?.kind === 'prim' ? [{ id, value: term.value }] : []));
  }

  /**
   * What a node stands for. A function needs as many arguments as it has holes.
   * @throws CairnError `unknown_node`, `bad_arguments`
   */
  expand(node: number, args: readonly number[] = []): Symbol[] {
    const term = this.#term(node);
    const arity = term.kind === 'lam' ? term.arity : 0;
    if (args.length !== arity) {
      throw new CairnError('bad_arguments', `Expected ${arity} arguments for node ${node}, got ${args.length}.`);
    }
    args.forEach((a) => this.#term(a));
    return this.#state.expand(node, args).map((p) => this.#state.valueOf(p));
  }

  /** A stream as it was fed. @throws CairnError `unknown_stream` */
  stream(index: number): Symbol[] {
    return this.tokens(index).flatMap((t) => this.#state.expand(t).map((p) => this.#state.valueOf(p)));
  }

  /** A stream in terms of nodes and primitives. */
  tokens(index: number): readonly number[] {
    const tokens = this.#state.streams[index];
    if (tokens === undefined) {
      throw new CairnError('unknown_stream', `Expected a stream below ${this.#state.streams.length}, got ${index}.`);
    }
    return [...tokens];
  }

  get streams(): number {
    return this.#state.streams.length;
  }

  /** Length of the two-part code in bits; the spelling of the primitives is not counted. */
  codeLength(): CodeLength {
    const tally = this.#state.tally();
    const nodes = nodeBits(tally);
    const streams = streamBits(this.#state.code, tally);
    return { bits: nodes + streams, nodes, streams };
  }

  /** Marks a node as used from outside: it is not pruned until released. */
  keep(node: number): void {
    this.#term(node);
    this.#state.kept.add(node);
  }

  release(node: number): void {
    this.#state.kept.delete(node);
  }

  #term(node: number): Term {
    const term = this.#state.terms[node];
    if (term === undefined) {
      throw new CairnError('unknown_node', `Expected a node of this circuit, got ${node}.`, {
        hint: 'List them with nodes().',
      });
    }
    return term;
  }

  /** Longest match from the left, by a trie over the expansions of all nodes. */
  #parse(symbols: readonly number[]): number[] {
    const trie: { next: Map<number, number>; node: number | undefined }[] = [{ next: new Map(), node: undefined }];
    this.#state.terms.forEach((term, id) => {
      if (term === undefined || term.kind === 'lam' || this.#state.lengthOf(id) > LONGEST_MATCH) return;
      let at = 0;
      for (const s of this.#state.expand(id)) {
        const known = trie[at]!.next.get(s) ?? trie.push({ next: new Map(), node: undefined }) - 1;
        trie[at]!.next.set(s, known);
        at = known;
      }
      trie[at]!.node ??= id;
    });
    const out: number[] = [];
    for (let i = 0; i < symbols.length;) {
      let at = 0;
      let [length, node] = [1, symbols[i]!];
      for (let j = i; j < symbols.length; j++) {
        const next = trie[at]!.next.get(symbols[j]!);
        if (next === undefined) break;
        at = next;
        const here = trie[at]!.node;
        if (here !== undefined) [length, node] = [j - i + 1, here];
      }
      out.push(node);
      i += length;
    }
    return out;
  }
}
