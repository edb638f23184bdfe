import { describe, expect, it } from 'vitest';
import { defaultHarness, humanAsk, stripHarness } from './ask.ts';
import { lostCache, stick, type StickyCandidate, type StickySession } from './sticky.ts';

const info = (id: string, price: number) => ({
  id,
  price_in_per_mtok: price,
  price_out_per_mtok: price,
  price_cached_in_per_mtok: price / 10,
});
const arm = (id: string, expectedError: number, price = 1): StickyCandidate => ({
  id,
  expectedError,
  expectedCost: price / 1000,
  info: info(id, price),
});
const options = { lambda: 0.5, scale: 0.01, now: 0, prefixTokens: 1000 };

function play(turns: number, candidates: (turn: number) => StickyCandidate[]): { arms: string[]; switches: number } {
  let session: StickySession | undefined;
  const arms: string[] = [];
  let switches = 0;
  for (let t = 0; t < turns; t++) {
    const ranked = candidates(t).toSorted((a, b) => a.expectedError - b.expectedError);
    const choice = stick(session, ranked, { ...options, now: t * 1000 });
    if (choice.switched) switches++;
    arms.push(choice.arm);
    session = { arm: choice.arm, lastAt: t * 1000, cachedTokens: 900 };
  }
  return { arms, switches };
}

describe('stickiness', () => {
  it('a session of constant scores never switches', () => {
    expect(play(50, () => [arm('a', 0.2), arm('b', 0.25)]).switches).toBe(0);
  });

  it('alternating small differences switch at most once', () => {
    const { switches } = play(50, (t) => [arm('a', 0.2), arm('b', t % 2 ? 0.19 : 0.21)]);
    expect(switches).toBeLessThanOrEqual(1);
  });

  it('a large difference switches at the first chance', () => {
    const { arms } = play(6, (t) => [arm('a', t >= 3 ? 0.9 : 0.2), arm('b', 0.4)]);
    expect(arms).toEqual(['a', 'a', 'a', 'b', 'b', 'b']);
  });

  it('waits for a tool result, leaves a failed or vanished arm', () => {
    const ranked = [arm('b', 0.1), arm('a', 0.9)];
    const session = { arm: 'a', lastAt: 0, cachedTokens: 0 };
    expect(stick({ ...session, pendingTool: true }, ranked, options)).toMatchObject({
      arm: 'a',
      reason: 'tool pending',
    });
    expect(stick({ ...session, arm: 'b', failed: true }, ranked, options)).toMatchObject({
      arm: 'a',
      reason: 'failed',
    });
    expect(stick({ ...session, arm: 'x' }, ranked, options)).toMatchObject({ arm: 'b', reason: 'gone' });
    expect(stick(undefined, ranked, options)).toMatchObject({ arm: 'b', switched: false });
  });

  it('a warm cache of a dear model holds longer than a cold one', () => {
    const [from, to] = [info('a', 10), info('b', 1)];
    const warm = lostCache({ cachedTokens: 100_000, lastAt: 0 }, from, to, { now: 1000, prefixTokens: 100_000 });
    const cold = lostCache({ cachedTokens: 100_000, lastAt: 0 }, from, to, { now: 600_000, prefixTokens: 100_000 });
    expect(warm).toBeCloseTo((100_000 * 9 + 100_000) / 1e6, 12);
    expect(cold).toBeCloseTo(0.1, 12);
  });
});

describe('human ask', () => {
  it('is the last thing a person wrote', () => {
    const messages = [
      { role: 'user', content: 'Write a sorting function in Python please' },
      { role: 'assistant', content: 'Here' },
      { role: 'tool', content: 'output' },
      { role: 'user', content: [{ type: 'tool_result', content: 'x' }] },
      { role: 'user', content: '<system-reminder>be brief</system-reminder>' },
    ];
    expect(humanAsk(messages)).toBe('Write a sorting function in Python please');
  });

  it('takes the previous ask along when few words are left', () => {
    const messages = [
      { role: 'user', content: 'Prove that the square root of two is irrational' },
      { role: 'assistant', content: 'Step one' },
      { role: 'user', content: [{ type: 'text', text: '<context>long</context>go on' }] },
    ];
    expect(humanAsk(messages)).toBe('Prove that the square root of two is irrational\ngo on');
  });

  it('falls back to what there is, and leaves other tags alone', () => {
    expect(humanAsk([{ role: 'user', content: '<system-reminder>only this</system-reminder>' }])).toContain(
      'only this',
    );
    expect(humanAsk([])).toBe('');
    expect(stripHarness('<filename>x</filename> <file>y</file>z')).toBe('<filename>x</filename> z');
    expect(stripHarness('<context>never closed')).toBe('<context>never closed');
    expect(stripHarness(`${'<context>'.repeat(20_000)}x`, defaultHarness)).toHaveLength(9 * 20_000 + 1);
  });
});
