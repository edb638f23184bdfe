import { describe, expect, it } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import { generatePool } from '../generated-pool.ts';
import { fitLsa } from './lsa.ts';
import { encoderCases, RemoteEncoder, toPromptEncoder, type FetchEmbeddings } from './prompt-encoder.ts';

const prompts = generatePool({ seed: 1, prompts: 120, models: 2 }).table.prompts.map((p) => p.text);
const lsa = fitLsa(prompts, { rng: new Rng(1), bits: 11, dim: 8 });
const played: FetchEmbeddings = (texts) =>
  Promise.resolve(texts.map((t) => [t.length % 7, t.charCodeAt(0) % 5, 1, (t.charCodeAt(t.length - 1) || 0) % 3]));

describe.each([
  ['local features', () => toPromptEncoder(lsa)],
  ['few prompts', () => toPromptEncoder(fitLsa([], { rng: new Rng(1) }))],
  ['a remote endpoint', () => new RemoteEncoder({ id: 'played', dim: 4, fetch: played })],
] as const)('%s', (_, make) => {
  for (const { name, check } of encoderCases((condition, text) => expect(condition, text).toBe(true))) {
    it(name, () => check(make()));
  }
});

describe('remote encoder', () => {
  it('asks for a text once, and forgets what was used longest ago', async () => {
    const asked: string[] = [];
    const encoder = new RemoteEncoder({
      id: 'played',
      dim: 4,
      cache: 2,
      fetch: (texts, signal) => {
        asked.push(...texts);
        return played(texts, signal);
      },
    });
    await encoder.embed(['a', 'b', 'a']);
    await encoder.embed(['a']);
    expect(asked).toEqual(['a', 'b']);
    await encoder.embed(['c']); // forgets b
    await encoder.embed(['a']);
    await encoder.embed(['b']);
    expect(asked).toEqual(['a', 'b', 'c', 'b']);
  });

  it('gives up at the deadline, then leaves a failing endpoint alone for a while', async () => {
    let now = 0;
    let calls = 0;
    const encoder = new RemoteEncoder({
      id: 'slow',
      dim: 4,
      timeoutMs: 5,
      failures: 2,
      now: () => now,
      fetch: (texts, signal) => {
        calls++;
        return calls <= 2 ? new Promise(() => undefined) : played(texts, signal);
      },
    });
    await expect(encoder.embed(['x'])).rejects.toThrow('no answer within 5 ms');
    expect(encoder.open).toBe(false);
    await expect(encoder.embed(['x'])).rejects.toThrow('no answer within 5 ms');
    expect(encoder.open).toBe(true);
    await expect(encoder.embed(['x'])).rejects.toThrow('left alone');
    expect(calls).toBe(2);
    now = 20_000;
    expect(await encoder.embed(['x'])).toHaveLength(1);
  });

  it('refuses vectors of another length, too few of them, and numbers that are not finite', async () => {
    const of = (fetch: FetchEmbeddings) => new RemoteEncoder({ id: 'odd', dim: 4, fetch }).embed(['x', 'y']);
    await expect(of(() => Promise.resolve([[1], [2]]))).rejects.toThrow(
      'Expected vectors of 4 numbers from remote/odd/4, got 1.',
    );
    await expect(of(() => Promise.resolve([[1, 2, 3, 4]]))).rejects.toThrow('1 vectors for 2 texts');
    await expect(
      of(() =>
        Promise.resolve([
          [NaN, 0, 0, 0],
          [1, 0, 0, 0],
        ]),
      ),
    ).rejects.toThrow('not finite');
    await expect(of(() => Promise.reject(new Error('503')))).rejects.toThrow('the endpoint failed');
  });

  it('a caller that goes away is not a failure of the endpoint', async () => {
    const control = new AbortController();
    const encoder = new RemoteEncoder({ id: 'slow', dim: 4, failures: 1, fetch: () => new Promise(() => undefined) });
    const asked = encoder.embed(['x'], control.signal);
    control.abort(new Error('gone'));
    await expect(asked).rejects.toThrow('gone');
    expect(encoder.open).toBe(false);
  });
});
