import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import { Circuit } from './circuit.ts';
import { antiUnify, type Symbol, type Tree } from './term.ts';

const symbols = fc.array(fc.oneof(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: -2, max: 2 })), { maxLength: 60 });
const repeating = fc
  .tuple(symbols, fc.integer({ min: 1, max: 12 }), symbols)
  .map(([word, times, rest]) => [...Array.from({ length: times }, () => word).flat(), ...rest]);

function grown(...streams: readonly (readonly Symbol[])[]): Circuit {
  const circuit = new Circuit();
  for (const s of streams) circuit.feed(s);
  circuit.grow();
  return circuit;
}

describe('growth', () => {
  it('restores every stream symbol for symbol, and never lengthens the code, for any streams', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(symbols, repeating), { maxLength: 4 }),
        fc.constantFrom('uniform' as const, 'adaptive' as const),
        (streams, code) => {
          const circuit = new Circuit({ code });
          for (const stream of streams) {
            circuit.feed(stream);
            let before = circuit.codeLength().bits;
            for (const step of circuit.grow()) {
              expect(step.bits).toBeLessThanOrEqual(before + 1e-6);
              before = step.bits;
            }
            expect(circuit.codeLength().bits).toBeCloseTo(before, 6);
          }
          streams.forEach((s, i) => expect(circuit.stream(i)).toEqual(s));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('needs few nodes for what is periodic', () => {
    for (const n of [256, 1024, 4096]) {
      for (const period of [1, 2, 4, 7]) {
        const circuit = grown(Array.from({ length: n }, (_, i) => i % period));
        expect(circuit.nodes().length).toBeLessThanOrEqual(2 * Math.log2(n) + period);
        expect(circuit.codeLength().bits).toBeLessThan(100);
      }
    }
  });

  it('adds nothing to what is random', () => {
    for (const letters of [4, 16, 64]) {
      for (const n of [1024, 4096]) {
        for (let seed = 0; seed < 3; seed++) {
          const rng = new Rng(seed).fork(`${letters}:${n}`);
          expect(grown(Array.from({ length: n }, () => rng.integer(letters))).nodes()).toEqual([]);
        }
      }
    }
  });

  it('is the same for the same streams, and at rest afterwards', () => {
    const text = [...'the cat sat on the mat and the cat sat on the hat and the cat ran to the mat'.repeat(4)];
    const [a, b] = [grown(text), grown(text)];
    expect(a.nodes()).toEqual(b.nodes());
    expect(a.tokens(0)).toEqual(b.tokens(0));
    expect(a.grow()).toEqual([]);
  });

  it('counts pairs without overlap: aaa holds one aa', () => {
    const circuit = grown(['a', 'a', 'a', 'b', 'a', 'a', 'a', 'c']);
    expect(circuit.stream(0).join('')).toBe('aaabaaac');
    const long = grown(Array.from({ length: 1000 }, () => 'a'));
    expect(long.nodes().map((n) => [n.term.kind, n.length])).toEqual([['rep', 1000]]);
  });

  it('does not join what stands in different streams', () => {
    const circuit = grown(...Array.from({ length: 50 }, () => ['x']));
    expect(circuit.nodes()).toEqual([]);
  });

  it('codes new streams by the nodes that are there', () => {
    const circuit = grown([...'abcde'.repeat(30)]);
    const index = circuit.feed([...'xabcdex']);
    expect(circuit.tokens(index)).toHaveLength(3);
    expect(circuit.stream(index).join('')).toBe('xabcdex');
  });
});

describe('functions', () => {
  it('name what several sequences have in common', () => {
    const rng = new Rng(3);
    const verbs = ['jump', 'walk', 'look', 'run', 'swim', 'sing'];
    const circuit = grown(
      ...Array.from({ length: 300 }, () => {
        const verb = verbs[rng.integer(verbs.length)]!;
        return ['turn', 'left', verb, 'twice', 'and', 'bow'];
      }),
    );
    const lams = circuit.nodes().filter((n) => n.term.kind === 'lam');
    expect(lams.length).toBeGreaterThanOrEqual(1);
    const walk = circuit.primitives().find((p) => p.value === 'walk')!.id;
    const said = lams.map((n) => circuit.expand(n.id, [walk]).join(' '));
    expect(said.some((s) => s.includes('left walk twice'))).toBe(true);
    expect(() => circuit.expand(lams[0]!.id)).toThrow('Expected 1 arguments for node');
  });

  it('name exceptions to a rule where that is shorter', () => {
    const rule = [...'abcdefgh'];
    const rng = new Rng(5);
    const odd = [...'abcxefgh'];
    const circuit = new Circuit();
    for (let i = 0; i < 40; i++) circuit.feed([...rule, `${rng.integer(4)}`]);
    circuit.grow();
    for (let i = 0; i < 2; i++) circuit.feed(odd);
    const before = circuit.codeLength().bits;
    const steps = circuit.grow();
    expect(circuit.codeLength().bits).toBeLessThan(before);
    expect(steps.length).toBeGreaterThan(0);
    expect(circuit.stream(40)).toEqual(odd);
    expect(circuit.nodes().some((n) => n.term.kind === 'not')).toBe(true);
  });
});

describe('pruning', () => {
  it('spares nodes that are used from outside', () => {
    const circuit = grown([...'abababababab'], [...'cdcdcdcdcdcd']);
    const [node] = circuit.nodes();
    circuit.keep(node!.id);
    circuit.grow();
    expect(circuit.expand(node!.id).length).toBe(node!.length);
    expect(() => circuit.keep(9999)).toThrow('Expected a node of this circuit, got 9999.');
  });
});

describe('anti-unification', () => {
  const leaf = fc.constantFrom('a', 'b', 'c');
  const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      leaf,
      fc.record({ head: fc.constantFrom('f', 'g'), args: fc.array(tie('tree'), { minLength: 1, maxLength: 2 }) }),
    ),
  }));

  it('gives x twice for jump twice and walk twice', () => {
    const twice = (x: Tree): Tree => ({ head: 'seq', args: [x, 'twice'] });
    expect(antiUnify(twice('jump'), twice('walk'))).toEqual(twice({ variable: 0 }));
    expect(antiUnify({ head: 'f', args: ['a', 'a'] }, { head: 'f', args: ['b', 'b'] })).toEqual({
      head: 'f',
      args: [{ variable: 0 }, { variable: 0 }],
    });
  });

  it('matches both terms, and every other common generalisation matches it', () => {
    fc.assert(
      fc.property(tree, tree, (s, t) => {
        const general = antiUnify(s, t);
        expect(matches(general, s)).toBe(true);
        expect(matches(general, t)).toBe(true);
        for (const other of generalisations(s)) if (matches(other, t)) expect(matches(other, general)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

/** Whether replacing variables of `pattern` gives `target`; variables of the target count as leaves. */
function matches(pattern: Tree, target: Tree, bound: Map<number, string> = new Map()): boolean {
  if (typeof pattern === 'object' && 'variable' in pattern) {
    const text = JSON.stringify(target);
    const known = bound.get(pattern.variable);
    bound.set(pattern.variable, known ?? text);
    return known === undefined || known === text;
  }
  if (typeof pattern !== 'object') return pattern === target;
  if (typeof target !== 'object' || !('head' in target)) return false;
  return (
    pattern.head === target.head &&
    pattern.args.length === target.args.length &&
    pattern.args.every((p, i) => matches(p, target.args[i]!, bound))
  );
}

/** Trees that `tree` is an instance of, with at most two different variables: enough to find a smaller generalisation. */
function generalisations(tree: Tree): Tree[] {
  const own: Tree[] = [{ variable: 0 }, { variable: 1 }];
  if (typeof tree !== 'object' || !('head' in tree)) return [...own, tree];
  const choices = tree.args.map((arg) => generalisations(arg).slice(0, 12));
  const lists = choices.reduce<Tree[][]>(
    (all, options) => all.flatMap((args) => options.map((o) => [...args, o])),
    [[]],
  );
  return [...own, ...lists.map((args) => ({ head: tree.head, args }))].filter((g) => matches(g, tree));
}
