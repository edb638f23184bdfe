import { describe, expect, it } from 'vitest';
import { CairnError } from '../errors.ts';
import { PathRouter, type Encoder, type EvaluationTable } from '../route/index.ts';
import { Rng } from '../tensor/index.ts';
import { Engine, type Checker } from './engine.ts';
import { toObject } from './_trace.ts';
import type { Answer, Call, Module, Reply } from './module.ts';

const one = new Float32Array([1]);

function answer<O>(output: O | undefined, extra: Partial<Answer<O>> = {}): Answer<O> {
  return { output, attributes: one, usage: { flop: 1 }, ...extra };
}

function module<I, O>(
  id: string,
  amount: number,
  run: (input: I, call: Call) => Promise<Answer<O>> | Answer<O>,
  extra: Partial<Module<I, O>> = {},
): Module<I, O> {
  return {
    id,
    task: id.slice(0, id.indexOf('/')),
    cost: { unit: 'flop', amount },
    run: async (input, call) => run(input, call),
    ...extra,
  };
}

function engine(...modules: Module<never, unknown>[]): Engine {
  let now = 0;
  const made = new Engine({ rng: new Rng(1), clock: () => now++ });
  for (const m of modules) made.add(m as Module<unknown, unknown>);
  return made;
}

async function ask(e: Engine, task: string, input: unknown, limits = {}): Promise<Reply<unknown>> {
  return (await e.ask(task, [input], limits))[0]!;
}

const outcomes = (reply: Reply<unknown>): string[] => reply.trace.attempts.map((a) => `${a.module}:${a.outcome}`);

describe('trying modules', () => {
  it('asks the cheapest first; abstention, a throw and a doubtful answer pass the input on; all are charged', async () => {
    const e = engine(
      module('t/d', 4, () => answer('d', { confidence: 0.99, usage: { flop: 40 } })),
      module('t/c', 3, () => answer('c', { confidence: 0.5, usage: { flop: 30 } })),
      module('t/b', 2, () =>
        Promise.reject(new CairnError('broken', 'Expected b to work, got a fault.', { hint: 'Mend b.' })),
      ),
      module('t/a', 1, () => answer(undefined, { usage: { flop: 10 }, note: 'too hard' })),
    );
    const reply = await ask(e, 't', 'x', { minConfidence: 0.9 });
    expect(reply.output).toBe('d');
    expect(outcomes(reply)).toEqual(['t/a:abstained', 't/b:failed', 't/c:unsure', 't/d:answered']);
    expect(reply.usage.flop).toBe(80);
    expect(reply.trace.route).toEqual({ by: 'cheapest', chosen: 't/a', path: ['t/a', 't/b', 't/c', 't/d'] });
    expect(reply.failure).toBeUndefined();
  });

  it('says why when nobody answers, with the fault of the last module that threw', async () => {
    const e = engine(
      module('t/a', 1, () => Promise.reject(new CairnError('broken', 'Expected a, got b.', { hint: 'Do c.' }))),
    );
    const reply = await ask(e, 't', 'x');
    expect(reply.output).toBeUndefined();
    expect(reply.reason).toBe('t/a failed: Expected a, got b.');
    expect(reply.failure).toEqual({ code: 'broken', message: 'Expected a, got b.', hint: 'Do c.' });
  });

  it('an unsure answer is better than none', async () => {
    const e = engine(
      module('t/a', 1, () => answer('a', { confidence: 0.6 })),
      module('t/b', 2, () => answer('b', { confidence: 0.4 })),
    );
    const reply = await ask(e, 't', 'x', { minConfidence: 0.9 });
    expect([reply.output, reply.module, reply.confidence]).toEqual(['a', 't/a', 0.6]);
  });

  it('filters by allow, deny and what a module accepts', async () => {
    const e = engine(
      module('t/a', 1, () => answer('a'), { accepts: (x: unknown) => x !== 'no' }),
      module('t/b', 2, () => answer('b')),
    );
    expect((await ask(e, 't', 'x')).output).toBe('a');
    expect((await ask(e, 't', 'no')).output).toBe('b');
    expect((await ask(e, 't', 'x', { deny: ['t/a'] })).output).toBe('b');
    expect((await ask(e, 't', 'x', { allow: ['t/b'] })).trace.route.by).toBe('pinned');
    expect((await ask(e, 't', 'no', { deny: ['t/b'] })).reason).toBe("no module of 't' takes this input");
    await expect(ask(e, 'u', 'x')).rejects.toThrow("Expected a task that some module has, got 'u'.");
  });

  it('refuses attributes that a sketch cannot keep', async () => {
    const e = engine(
      module('t/a', 1, () => answer('a', { attributes: new Float32Array([1, 1]) })),
      module('t/b', 2, () => answer('b', { attributes: new Float32Array([NaN]) })),
      module('t/c', 3, () =>
        answer('c', {
          attributes: new Float32Array([0, 1, 0, 1]),
          groups: [
            { start: 0, size: 2 },
            { start: 2, size: 2 },
          ],
        }),
      ),
    );
    const reply = await ask(e, 't', 'x');
    expect(outcomes(reply)).toEqual(['t/a:failed', 't/b:failed', 't/c:answered']);
  });

  it('rejects bad registrations', () => {
    const e = engine(module('t/a', 1, () => answer('a')));
    expect(() => e.add(module('t/a', 1, () => answer('a')) as Module<unknown, unknown>)).toThrow(
      'Expected a new module id',
    );
    expect(() => e.add({ ...module('t/b', 1, () => answer('a')), task: 'u' } as Module<unknown, unknown>)).toThrow(
      "Expected an id 'u/<variant>'",
    );
    expect(() =>
      e.add({ ...module('t/b', 1, () => answer('a')), cost: { unit: 'usd', amount: 1 } } as Module<unknown, unknown>),
    ).toThrow('in flop, got usd');
  });
});

describe('proofs', () => {
  const even: Checker<number, number> = {
    required: true,
    check: (_, output, certificate) => (certificate.data === output && output % 2 === 0 ? null : 'the output is odd'),
  };

  it('an answer counts only when the checker accepts its certificate', async () => {
    const e = engine(
      module('t/a', 1, () => answer(3, { certificate: { kind: 'even', data: 3 } })),
      module('t/b', 2, () => answer(4)),
      module('t/c', 3, () => answer(6, { certificate: { kind: 'even', data: 6 } })),
    );
    e.setChecker('t', even as Checker);
    const reply = await ask(e, 't', 1);
    expect(outcomes(reply)).toEqual(['t/a:unproved', 't/b:unproved', 't/c:answered']);
    expect(reply.proved).toBe(true);
    const none = await ask(e, 't', 1, { deny: ['t/c'] });
    expect([none.output, none.proved]).toEqual([undefined, false]);
    expect(none.reason).toBe('t/b gave no proof that holds: there is no certificate');
  });
});

describe('budgets and signals', () => {
  it('a dear module does not run when the budget is spent; the unsure answer stands', async () => {
    const e = engine(
      module('t/a', 10, () => answer('a', { confidence: 0.5, usage: { flop: 10 } })),
      module('t/b', 100, () => answer('b', { confidence: 1, usage: { flop: 100 } })),
    );
    const poor = await ask(e, 't', 'x', { maxFlop: 50, minConfidence: 0.9 });
    expect(poor.output).toBe('a');
    expect(outcomes(poor)).toEqual(['t/a:unsure', 't/b:over-budget']);
    const rich = await ask(e, 't', 'x', { maxFlop: 110, minConfidence: 0.9 });
    expect(rich.output).toBe('b');
    expect((await ask(e, 't', 'x', { maxMs: 0 })).reason).toBe('the budget does not allow t/b');
    await expect(ask(e, 't', 'x', { maxFlop: -1 })).rejects.toThrow('Expected maxFlop of at least 0');
  });

  it('an abort stops the call, also in the middle', async () => {
    const stop = new AbortController();
    const e = engine(
      module('t/a', 1, async (_, call) => {
        stop.abort();
        await call.ask('u', 1);
        return answer('a');
      }),
      module('u/a', 1, () => answer('u')),
    );
    await expect(ask(e, 't', 'x', { signal: stop.signal })).rejects.toThrow('abort signal');
    await expect(ask(e, 'u', 'x', { signal: AbortSignal.abort() })).rejects.toThrow('abort signal');
  });
});

describe('nested calls', () => {
  const leaf = module('leaf/a', 1, (x: number) =>
    answer(2 * x, { attributes: new Float32Array([x / 100]), usage: { flop: 5 } }),
  );

  it('become inputs with their weights; weight 0 is charged, not sketched; what failed attempts asked is charged, not sketched', async () => {
    const e = engine(
      leaf,
      module('top/a', 1, async (_: unknown, call) => {
        await call.ask('leaf', 9);
        return answer<number>(undefined);
      }),
      module('top/b', 2, async (_: unknown, call) => {
        const a = await call.ask<number>('leaf', 1, 3);
        const b = await call.ask<number>('leaf', 2);
        await call.ask<number>('leaf', 3, 0);
        return answer(a.output! + b.output!, { usage: { flop: 7 } });
      }),
    );
    const reply = await ask(e, 'top', 'x');
    expect(reply.output).toBe(6);
    expect(reply.usage.flop).toBe(1 + 5 + 7 + 15);
    const object = toObject(reply.trace);
    expect(object.module).toBe('top');
    expect(object.inputs!.map((i) => [i.object.module, i.weight, i.object.attributes[0]])).toEqual([
      ['leaf', 0.75, Math.fround(0.01)],
      ['leaf', 0.25, Math.fround(0.02)],
    ]);
  });

  it('use() makes a diamond, amend() corrects, and shared work is charged once', async () => {
    const e = engine(
      leaf,
      module('top/a', 1, async (_: unknown, call) => {
        const a = await call.ask<number>('leaf', 1);
        const b = await call.ask<number>('leaf', 2);
        call.use(b, 0);
        call.amend(a.trace, new Float32Array([0.5]));
        call.use(a, 2);
        return answer(1);
      }),
    );
    const reply = await ask(e, 'top', 'x');
    expect(toObject(reply.trace).inputs!.map((i) => [i.weight, i.object.attributes[0]])).toEqual([[1, 0.5]]);
    expect(reply.trace.inputs[0]!.node.amended).toBe(true);
    expect(reply.usage.flop).toBe(11);
  });

  it('a module that waits for itself is told so, and the next one is tried', async () => {
    const e = engine(
      module('a/loop', 1, async (x: unknown, call) => answer((await call.ask('b', x)).output)),
      module('b/loop', 1, async (x: unknown, call) => answer((await call.ask('a', x)).output)),
      module('a/plain', 2, () => answer('plain')),
    );
    const reply = await ask(e, 'a', 'x');
    expect(reply.output).toBe('plain');
    const lost = reply.trace.attempts[0]!;
    expect(lost.outcome).toBe('abstained');
    expect(lost.calls![0]!.node.attempts[0]!.note).toBe('Expected a module not to wait for itself, got a → b → a.');
  });

  it('endless nesting with new inputs ends with an error', async () => {
    const e = engine(module('a/deep', 1, async (x: number, call) => answer((await call.ask('a', x + 1)).output)));
    const reply = await ask(e, 'a', 0);
    expect(reply.output).toBeUndefined();
  });

  it('the same seed gives every call the same random stream', async () => {
    const run = async (): Promise<unknown> => {
      const e = engine(
        module('r/a', 1, (_: unknown, call) => answer(call.rng.u32())),
        module('top/a', 1, async (_: unknown, call) =>
          answer([(await call.ask('r', 1)).output, (await call.ask('r', 2)).output, call.rng.u32()]),
        ),
      );
      return (await ask(e, 'top', 'x')).output;
    };
    const first = await run();
    expect(await run()).toEqual(first);
    expect(new Set(first as number[]).size).toBe(3);
  });
});

describe('batches', () => {
  const judge = (x: number): Answer<number> =>
    x % 5 === 0 ? answer<number>(undefined) : answer(x, { confidence: (x % 10) / 10, usage: { flop: 3 } });
  let runs: number[] = [];
  const small = module<number, number>('t/small', 3, judge, {
    runBatch: async (xs) => {
      runs.push(xs.length);
      return xs.map(judge);
    },
  });
  const large = module<number, number>('t/large', 30, (x) => answer(x + 1000, { confidence: 1, usage: { flop: 30 } }), {
    runBatch: async (xs) => {
      runs.push(xs.length);
      return xs.map((x) => answer(x + 1000, { confidence: 1, usage: { flop: 30 } }));
    },
  });
  const xs = Array.from({ length: 40 }, (_, i) => i);

  it('give the same replies as single calls, in one run per module', async () => {
    runs = [];
    const many = await engine(small, large).ask('t', xs, { minConfidence: 0.5 });
    expect(runs).toEqual([40, 24]);
    for (const x of xs) {
      const single = await ask(engine(small, large), 't', x, { minConfidence: 0.5 });
      expect(many[x]!.output).toBe(single.output);
      expect(outcomes(many[x]!)).toEqual(outcomes(single));
      expect(many[x]!.usage.flop).toBe(single.usage.flop);
    }
  });

  it('a batch takes what the budget allows and no more', async () => {
    const replies = await engine(small, large).ask('t', xs, { minConfidence: 0.5, maxFlop: 40 * 3 + 65 });
    expect(replies.filter((r) => r.module === 't/large')).toHaveLength(2);
  });

  it('nested calls and wrong counts in a batch are failures with a hint', async () => {
    const bad = module<number, number>('t/bad', 1, judge, {
      runBatch: async (inputs, call) =>
        Promise.all(inputs.map(async (x) => answer((await call.ask<number>('t', x)).output))),
    });
    const short = module<number, number>('t/short', 2, judge, { runBatch: async () => [] });
    const [reply] = await engine(bad, short, large).ask('t', xs);
    expect(reply!.trace.attempts.map((a) => a.note)).toEqual([
      "Expected no nested call in a batched run, got a call of 't'.",
      'Expected 40 answers from t/short, got 0.',
      undefined,
    ]);
  });
});

describe('routed tasks', () => {
  const encoder: Encoder<number> = { id: 'self', dim: 1, flop: 2, embed: (x, out, offset) => (out[offset] = x) };
  const n = 400;
  // Inputs below 0 are easy for the small module; above, only the large one is right.
  const rng = new Rng(3);
  const features = Float32Array.from({ length: n }, () => rng.normal() * 0.1 + (rng.bernoulli() ? 1 : -1));
  const table: EvaluationTable = {
    models: ['t/small', 't/large'],
    count: n,
    error: Float64Array.from({ length: 2 * n }, (_, i) => (i % 2 === 0 && features[i >> 1]! > 0 ? 1 : 0)),
    cost: Float64Array.from({ length: 2 * n }, (_, i) => (i % 2 === 0 ? 3 : 30)),
    confidence: new Float64Array(2 * n).fill(0.5),
    features,
    dim: 1,
  };
  const small = module<number, number>('t/small', 3, () => answer(0, { confidence: 0.5, usage: { flop: 3 } }));
  const large = module<number, number>('t/large', 30, () => answer(1, { confidence: 0.5, usage: { flop: 30 } }));

  it('the router picks the first module from the input, and its work is charged', async () => {
    const e = engine(small, large);
    const router = PathRouter.fit(table, { rng: new Rng(1), encoder: 'self', k: 2 });
    e.setRouting('t', { router, encoder: encoder as Encoder<unknown> });
    const easy = await ask(e, 't', -1);
    const hard = await ask(e, 't', 1);
    expect([easy.module, hard.module]).toEqual(['t/small', 't/large']);
    expect(easy.trace.route.by).toBe('router');
    expect(easy.trace.route.runnerUp?.module).toBe('t/large');
    expect(easy.usage.flop).toBe(3 + 2 + router.flop);
    expect(() => e.setRouting('t', { router, encoder: { ...encoder, id: 'other' } as Encoder<unknown> })).toThrow(
      'fitted on other',
    );
  });

  it('a module that the router does not know is tried last', async () => {
    const e = engine(
      small,
      large,
      module<number, number>('t/new', 1, () => answer(7)),
    );
    e.setRouting('t', {
      router: PathRouter.fit(table, { rng: new Rng(1), encoder: 'self', k: 2 }),
      encoder: encoder as Encoder<unknown>,
    });
    expect((await ask(e, 't', -1)).module).toBe('t/small');
    expect((await ask(e, 't', -1, { deny: ['t/small', 't/large'] })).module).toBe('t/new');
  });
});
