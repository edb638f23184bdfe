// The terms of a circuit: primitives, sequences, repetitions, functions with holes, their applications, and exceptions. Equal
// terms are one node. After "The Mind Grows Circuits" (arXiv 1203.0088).
import { CairnError } from '../../errors.ts';

/** A symbol of the input. */
export type Symbol = string | number;

/** Node numbers stand for nodes; in the body of a function -1 - i stands for its i-th variable. */
export type Term =
  | { readonly kind: 'prim'; readonly value: Symbol }
  /** One after the other, two or more. */
  | { readonly kind: 'seq'; readonly parts: readonly number[] }
  /** The same node several times, three or more. */
  | { readonly kind: 'rep'; readonly of: number; readonly count: number }
  /** A sequence with holes: what several sequences have in common. */
  | { readonly kind: 'lam'; readonly arity: number; readonly body: readonly number[] }
  | { readonly kind: 'app'; readonly lam: number; readonly args: readonly number[] }
  /** A node whose expansion differs at one place. */
  | { readonly kind: 'not'; readonly base: number; readonly position: number; readonly value: number };

/** Whether a part of a function's body is a variable. */
export const isVariable = (part: number): boolean => part < 0;

/** Equal for equal terms only. */
export function termKey(term: Term): string {
  switch (term.kind) {
    case 'prim':
      return `${typeof term.value}:${term.value}`;
    case 'seq':
      return `seq ${term.parts.join(' ')}`;
    case 'rep':
      return `rep ${term.of} ${term.count}`;
    case 'lam':
      return `lam ${term.body.join(' ')}`;
    case 'app':
      return `app ${term.lam} ${term.args.join(' ')}`;
    case 'not':
      return `not ${term.base} ${term.position} ${term.value}`;
    default:
      return term satisfies never;
  }
}

/** Nodes that a term names, variables left out. */
export function referencesOf(term: Term): readonly number[] {
  switch (term.kind) {
    case 'prim':
      return [];
    case 'seq':
      return term.parts;
    case 'rep':
      return [term.of];
    case 'lam':
      return term.body.filter((p) => !isVariable(p));
    case 'app':
      return [term.lam, ...term.args];
    case 'not':
      return [term.base, term.value];
    default:
      return term satisfies never;
  }
}

/** Bits of a positive integer in the Elias gamma code. */
export function gammaBits(n: number): number {
  return 2 * Math.floor(Math.log2(n)) + 1;
}

/**
 * What a term costs besides the log2 V bits of each name in it: two bits for its kind, and its lengths and counts so that the
 * code can be read back. Primitives are given.
 */
export function overheadBits(term: Term): number {
  switch (term.kind) {
    case 'prim':
      return 0;
    case 'seq':
      return 2 + gammaBits(term.parts.length - 1);
    case 'rep':
      return 2 + gammaBits(term.count);
    case 'lam': {
      // One bit a place says hole or name; a hole names its variable.
      const holes = term.body.filter(isVariable).length;
      return 2 + gammaBits(term.body.length) + term.body.length + holes * Math.ceil(Math.log2(Math.max(2, term.arity)));
    }
    case 'app':
      return 2;
    case 'not':
      return 2 + gammaBits(term.position + 1);
    default:
      return term satisfies never;
  }
}

/** A term written out, for anti-unification: a leaf or a head with arguments. */
export type Tree = Symbol | { readonly head: Symbol; readonly args: readonly Tree[] } | { readonly variable: number };

/**
 * The least general generalisation of two trees: equal parts stay, each differing pair becomes a variable, the same pair the
 * same variable.
 *
 * @example
 * antiUnify({ head: 'seq', args: ['jump', 'twice'] }, { head: 'seq', args: ['walk', 'twice'] });
 * // { head: 'seq', args: [{ variable: 0 }, 'twice'] }
 */
export function antiUnify(s: Tree, t: Tree, pairs: Map<string, number> = new Map()): Tree {
  const [left, right] = [JSON.stringify(s), JSON.stringify(t)];
  if (left === right) return s;
  if (isBranch(s) && isBranch(t) && s.head === t.head && s.args.length === t.args.length) {
    return { head: s.head, args: s.args.map((arg, i) => antiUnify(arg, t.args[i]!, pairs)) };
  }
  const key = `${left}|${right}`;
  if (!pairs.has(key)) pairs.set(key, pairs.size);
  return { variable: pairs.get(key)! };
}

function isBranch(tree: Tree): tree is { head: Symbol; args: readonly Tree[] } {
  return typeof tree === 'object' && 'head' in tree;
}

/** Throws `bad_symbol` for anything but text and integers. */
export function expectSymbol(value: unknown): asserts value is Symbol {
  if (typeof value === 'string' || (typeof value === 'number' && Number.isSafeInteger(value))) return;
  const shown = typeof value === 'number' ? `${value}` : typeof value;
  throw new CairnError('bad_symbol', `Expected texts or integers as symbols, got ${shown}.`, {
    hint: 'Turn what repeats into ids first.',
  });
}
