// The parts of kept answers: what makes requests the same, streams and whole answers as one, the bounds of the table, and the
// promise about false hits, counted over many lives with a known rate.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ChatChunk, JsonObject } from '../../../providers/index.ts';
import { Rng } from '../../../tensor/index.ts';
import { answersAgree } from './agree.ts';
import { openAnswerTable, type StoredAnswer } from './answer-table.ts';
import { Collector, replay } from './collector.ts';
import { FalseHits, rateInterval } from './false-hits.ts';
import { canonical, exactKey, likenessOf, notCacheable } from './request-key.ts';

const user = (content: string): JsonObject => ({ role: 'user', content });

describe('the key of a request', () => {
  test('does not depend on the order of fields, nor on how the answer is sent', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (fields) => {
        const body = { ...fields, messages: [user('Hi')] } as JsonObject;
        const turned = Object.fromEntries(Object.entries(body).reverse()) as JsonObject;
        expect(canonical(turned)).toBe(canonical(body));
        const sent = { ...turned, stream: true, stream_options: { include_usage: true }, metadata: { a: 'b' } };
        expect(exactKey(sent, 'm')).toBe(exactKey({ ...body, stream: false }, 'm'));
      }),
    );
  });

  test.each([
    ['another model', {}, 'other'],
    ['temperature', { temperature: 0.1 }, 'm'],
    ['seed', { seed: 8 }, 'm'],
    ['tools', { tools: [{ type: 'function', function: { name: 'f' } }] }, 'm'],
    ['the user', { user: 'bob' }, 'm'],
    ['a field that nobody here knows', { top_k: 4 }, 'm'],
    ['an earlier message', { messages: [user('Hello'), user('Hi')] }, 'm'],
  ])('depends on %s', (_name, change, model) => {
    const body = { messages: [user('Hi')], temperature: 0, seed: 7 };
    expect(exactKey({ ...body, ...change }, model)).not.toBe(exactKey(body, 'm'));
  });

  test('what does not repeat is passed by, unless it is asked for', () => {
    expect(notCacheable({ temperature: 0 }, false)).toBeUndefined();
    expect(notCacheable({ seed: 1 }, false)).toBeUndefined();
    expect(notCacheable({}, false)).toBe('temperature');
    expect(notCacheable({ temperature: 1 }, true)).toBeUndefined();
    expect(notCacheable({ temperature: 0, logprobs: true }, true)).toBe('logprobs');
  });

  test('likeness leaves out the words of the last message and nothing else', () => {
    const at = (ask: string, rest: JsonObject = {}): string | undefined =>
      likenessOf({ messages: [{ role: 'system', content: 's' }, user(ask)], ...rest }, 'm')?.context;
    expect(at('How far is it?')).toBe(at('What is the distance?'));
    expect(at('Add 2 and 3')).not.toBe(at('Add 2 and 4'));
    expect(at('x', { temperature: 0 })).not.toBe(at('x', { temperature: 1 }));
    expect(at('x', { tools: [{ type: 'function' }] })).toBeUndefined();
    expect(likenessOf({ messages: [{ role: 'assistant', content: 'x' }] }, 'm')).toBeUndefined();
    const picture = [{ type: 'image_url', image_url: { url: 'data:' } }];
    expect(likenessOf({ messages: [{ role: 'user', content: picture }] }, 'm')).toBeUndefined();
  });
});

describe('streams and whole answers', () => {
  const text = fc.string({ unit: 'binary', maxLength: 400 });
  const choice = fc.record({ content: text, reasoning: text, finish: fc.constantFrom('stop', 'length') });

  test('a completion taken apart and put together is itself', () => {
    fc.assert(
      fc.property(
        fc.array(choice, { minLength: 1, maxLength: 3 }),
        fc.array(text, { maxLength: 2 }),
        (parts, calls) => {
          const tool_calls = calls.map((args, i) => ({
            id: `call-${i}`,
            type: 'function',
            function: { name: `f${i}`, arguments: args },
          }));
          const completion = {
            id: 'c',
            object: 'chat.completion',
            created: 7,
            model: 'm',
            choices: parts.map(({ content, reasoning, finish }, index) => ({
              index,
              message: {
                role: 'assistant',
                ...(reasoning === '' ? {} : { reasoning_content: reasoning }),
                content: content === '' ? null : content,
                ...(calls.length === 0 ? {} : { tool_calls }),
              },
              finish_reason: finish,
              logprobs: null,
            })),
            usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
          };
          const collector = new Collector(1e6);
          for (const chunk of replay(completion as unknown as JsonObject)) collector.add(chunk);
          expect(collector.completion()).toEqual(completion);
        },
      ),
    );
  });

  test('what is too long, or not known, is not put together', () => {
    const chunk = (delta: object): ChatChunk => ({
      data: JSON.stringify({ choices: [{ index: 0, delta }] }),
      content: true,
    });
    const odd = new Collector(1e6);
    odd.add(chunk({ content: 'a', audio: { id: 'x' } }));
    expect(odd.completion()).toBeUndefined();
    const long = new Collector(64);
    for (let i = 0; i < 100; i++) long.add(chunk({ content: 'word ' }));
    expect(long.completion()).toBeUndefined();
  });
});

test.each([
  ['Yes.', 'yes', true],
  ['Yes', 'No', false],
  ['It is 12 km to the next hut on the way up', 'It is 13 km to the next hut on the way up', false],
  ['The next hut on the way up is 12 km from here', 'On the way up the next hut is 12 km from here', true],
  ['The next hut on the way up is far from here', 'A glacier ends below the pass and feeds the lake', false],
  ['', '', true],
])('%j and %j agree: %j', (a, b, same) => {
  expect(answersAgree(a, b, 0.8)).toBe(same);
  expect(answersAgree(b, a, 0.8)).toBe(same);
});

describe('the table', () => {
  const answer = (key: string, more: Partial<StoredAnswer> = {}): StoredAnswer => ({
    tenant: '',
    key,
    context: null,
    features: null,
    vector: null,
    event: `e-${key}`,
    model: 'm',
    mark: 'x',
    usd: 1,
    at: 1_000,
    expires: 2_000,
    body: '{}',
    ...more,
  });

  test('keeps within its bounds: old ones expire, the least recently used go first, bytes count', async () => {
    const answers = openAnswerTable(':memory:');
    const limits = { entries: 3, bytes: 10_000 };
    for (const key of ['a', 'b', 'c']) await answers.put(answer(key), limits);
    await answers.touch((await answers.find('', 'a', 1_500))!.id, 1_500);
    await answers.put(answer('d', { at: 1_600, expires: 9_000 }), limits);
    const alive = async (now: number): Promise<string[]> => {
      const found = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((key) => answers.find('', key, now)));
      return found.flatMap((row) => (row === undefined ? [] : [row.key]));
    };
    expect(await alive(1_700)).toEqual(['a', 'c', 'd']);
    expect(await alive(2_000)).toEqual(['d']);
    await answers.put(answer('e', { at: 3_000, expires: 9_000, body: 'x'.repeat(9_000) }), limits);
    expect(await answers.size(3_000)).toMatchObject({ entries: 2 });
    await answers.put(answer('e', { at: 3_001, expires: 9_000, body: 'x'.repeat(9_500) }), limits);
    expect(await alive(3_001)).toEqual(['e']);
    await answers.close();
  });

  test('drops those of a client, of an event, and all; names that begin alike are others', async () => {
    const answers = openAnswerTable(':memory:');
    const limits = { entries: 10, bytes: 10_000 };
    await answers.put(answer('a', { tenant: 'al 2020' }), limits);
    await answers.put(answer('b', { tenant: 'alice 2020' }), limits);
    await answers.put(answer('c'), limits);
    expect(await answers.drop({ key: 'al' })).toBe(1);
    expect(await answers.drop({ event: 'e-c' })).toBe(1);
    expect(await answers.find('alice 2020', 'b', 1_001)).toBeDefined();
    expect(await answers.drop('all')).toBe(1);
    await answers.close();
  });
});

describe('false hits', () => {
  test('the interval holds the rate, narrows, and is [0, 1] without checks', () => {
    expect(rateInterval(0, 0, 0.05, 0.02)).toEqual([0, 1]);
    for (const [k, n] of [
      [0, 50],
      [3, 100],
      [40, 80],
      [500, 500],
    ] as const) {
      const [low, high] = rateInterval(k, n, 0.05, 0.02);
      expect(low).toBeLessThanOrEqual(k / n);
      expect(high).toBeGreaterThanOrEqual(k / n);
      const wider = rateInterval(k, n, 0.005, 0.02);
      expect(wider[0]).toBeLessThanOrEqual(low);
      expect(wider[1]).toBeGreaterThanOrEqual(high);
    }
    expect(rateInterval(0, 400, 0.05, 0.02)[1]).toBeLessThan(0.02);
    expect(rateInterval(0, 150, 0.05, 0.02)[1]).toBeGreaterThan(0.02);
  });

  const options = { floor: 0.9, limit: 0.05, confidence: 0.95 };

  test('a memory that is too often wrong is let through in fewer than one of twenty lives, looked at after every check', () => {
    let fooled = 0;
    const lives = 200;
    for (let life = 0; life < lives; life++) {
      const rng = new Rng(`bad-${life}`);
      const memory = new FalseHits(options);
      for (let i = 0; i < 600; i++) {
        memory.learnOne({ similarity: 0.9 + 0.1 * rng.uniform(), same: !rng.bernoulli(0.055) });
        if (memory.state.threshold !== undefined) {
          fooled++;
          break;
        }
      }
    }
    expect(fooled / lives).toBeLessThanOrEqual(0.05);
  });

  test('a good one is let through, and shut when it turns bad', () => {
    const rng = new Rng('good');
    const memory = new FalseHits(options);
    const live = (rate: number, most: number, serving: boolean): number => {
      for (let i = 0; i < most; i++) {
        if ((memory.state.threshold !== undefined) === serving) return i;
        memory.learnOne({ similarity: 0.9 + 0.1 * rng.uniform(), same: !rng.bernoulli(rate) });
      }
      return most;
    };
    expect(live(0.005, 1_000, true)).toBeLessThan(1_000);
    expect(live(0.5, 200, false)).toBeLessThan(200);
    expect(memory.state.why).toMatch(/of \d+ checks disagreed/);
  });

  test('where only near asks agree, the threshold is set above those that do not', () => {
    const rng = new Rng('near');
    const memory = new FalseHits(options);
    for (let i = 0; i < 2_000; i++) {
      const similarity = 0.9 + 0.1 * rng.uniform();
      memory.learnOne({ similarity, same: similarity > 0.95 || rng.bernoulli(0.6) });
    }
    expect(memory.state.threshold).toBeGreaterThanOrEqual(0.9375);
    expect(memory.state.rate).toBeLessThanOrEqual(0.05);
  });
});
