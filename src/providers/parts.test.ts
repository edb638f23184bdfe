// The small parts by themselves: event parsing for any cut, the breaker as a model, waiting, redaction.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { backoffMs, pause } from './backoff.ts';
import { Breaker } from './breaker.ts';
import { remedyOf, retryAfter } from './provider-error.ts';
import { createRedactor, redactJson } from './redact.ts';
import { EventParser } from './sse.ts';

describe('server-sent events', () => {
  test('the same events come out however the bytes are cut and lines are ended', () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 12 }).map((s) => s.replace(/[\r\n]/g, ''));
    fc.assert(
      fc.property(
        fc.array(fc.array(line, { minLength: 1, maxLength: 3 }), { maxLength: 6 }),
        fc.constantFrom('\n', '\r\n', '\r'),
        fc.array(fc.nat(9), { minLength: 1, maxLength: 20 }),
        fc.boolean(),
        (events, end, cuts, comment) => {
          const text = events
            .map((lines) =>
              [...(comment ? [': hi', 'id: 1'] : []), ...lines.map((l) => `data: ${l}`), '', ''].join(end),
            )
            .join('');
          const bytes = Buffer.from(text);
          const parser = new EventParser();
          const seen: string[] = [];
          let at = 0;
          for (let i = 0; at < bytes.length; i++) {
            const size = 1 + cuts[i % cuts.length]!;
            seen.push(...parser.push(bytes.subarray(at, at + size)));
            at += size;
          }
          seen.push(...parser.end());
          expect(seen).toEqual(events.map((lines) => lines.join('\n')));
        },
      ),
      { numRuns: 200 },
    );
  });

  test('a line without an end is refused before it fills the memory', () => {
    const parser = new EventParser();
    const piece = Buffer.alloc(1 << 20, 'x');
    expect(() => {
      for (let i = 0; i < 16; i++) parser.push(piece);
    }).toThrow(/8388608 characters/);
  });
});

describe('breaker', () => {
  test('opens after five failures in a row, lets one call probe, doubles its rest, closes on success', () => {
    const breaker = new Breaker();
    for (let i = 0; i < 5; i++) {
      expect(breaker.allow(0)).toBe(true);
      breaker.failed(0);
    }
    expect([breaker.state(0), breaker.allow(14_999), breaker.waitMs(5_000)]).toEqual(['open', false, 10_000]);
    expect(breaker.state(15_000)).toBe('half-open');
    expect([breaker.allow(15_000), breaker.allow(15_000)]).toEqual([true, false]);
    breaker.failed(15_000);
    expect([breaker.allow(44_999), breaker.allow(45_000)]).toEqual([false, true]);
    breaker.succeeded(45_000);
    expect(breaker.state(45_000)).toBe('closed');
  });

  test('opens when more than half of twenty calls fail, though never five in a row', () => {
    const breaker = new Breaker();
    for (let i = 0; i < 30 && breaker.state(i) === 'closed'; i++) {
      if (i % 3 === 0) breaker.succeeded(i);
      else breaker.failed(i);
    }
    expect(breaker.state(30)).toBe('open');
  });

  test('never lets more than one call through unless closed, for any history', () => {
    const step = fc.record({ ms: fc.nat(40_000), what: fc.constantFrom('ask', 'ok', 'bad', 'drop') });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const breaker = new Breaker();
        let now = 0;
        let probes = 0;
        for (const { ms, what } of steps) {
          now += ms;
          if (what === 'ask') {
            const state = breaker.state(now);
            const allowed = breaker.allow(now);
            expect(allowed).toBe(state === 'closed' || (state === 'half-open' && probes === 0));
            if (allowed && state === 'half-open') probes = 1;
          } else {
            if (what === 'ok') breaker.succeeded(now);
            else if (what === 'bad') breaker.failed(now);
            else breaker.release();
            probes = 0;
          }
        }
      }),
    );
  });
});

test('waiting is jittered, doubles up to a cap, and respects what the provider asks for', () => {
  expect([
    backoffMs(0, undefined, () => 0.5),
    backoffMs(2, undefined, () => 0.5),
    backoffMs(20, undefined, () => 1),
  ]).toEqual([100, 400, 8_000]);
  expect(backoffMs(0, 3_000, () => 0.9)).toBe(3_000);
  expect([retryAfter('2', 0), retryAfter('Thu, 01 Jan 1970 00:00:05 GMT', 1_000), retryAfter('soon', 0)]).toEqual([
    2_000,
    4_000,
    undefined,
  ]);
});

test('a pause ends with the reason of its signal', async () => {
  const controller = new AbortController();
  const waiting = pause(10_000, controller.signal);
  controller.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
});

test.each([
  [408, 'retry'],
  [409, 'retry'],
  [425, 'retry'],
  [429, 'retry'],
  [500, 'retry'],
  [529, 'retry'],
  [401, 'next'],
  [403, 'next'],
  [404, 'next'],
  [422, 'next'],
  [301, 'next'],
  [400, 'client'],
  [413, 'client'],
] as const)('status %i: %s', (status, remedy) => {
  expect(remedyOf(status)).toBe(remedy);
});

test('secrets that are known or look like one are taken out of any text', () => {
  const redact = createRedactor(() => ['my-own-secret']);
  const text =
    'my-own-secret sk-abcdefghijklmnop Bearer abcdefghijklmnopq api_key=hunter2hunter2 AIzaSyA1234567890abcdefghijk postgres://u:pa55word@h/db';
  expect(redact(text)).toBe(
    '[redacted] [redacted] Bearer [redacted] api_key=[redacted] [redacted] postgres://u:[redacted]@h/db',
  );
  expect(redactJson({ a: ['my-own-secret', 1], b: { c: 'fine' } }, redact)).toEqual({
    a: ['[redacted]', 1],
    b: { c: 'fine' },
  });
  expect(redact('an ordinary sentence about tokens and keys')).toBe('an ordinary sentence about tokens and keys');
});
