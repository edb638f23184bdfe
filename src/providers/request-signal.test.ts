import { describe, expect, test, vi } from 'vitest';
import { RequestSignal, toAbortSignal } from './request-signal.ts';

describe('the signal of a request', () => {
  test('aborts once, tells its listeners the reason, and throws it', () => {
    const signal = new RequestSignal();
    const [heard, removed] = [vi.fn(), vi.fn()];
    signal.addEventListener('abort', () => heard(signal.reason), { once: true });
    signal.addEventListener('abort', removed);
    signal.removeEventListener('abort', removed);
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- the other form is what is tested
    signal.onabort = heard;
    signal.throwIfAborted();
    const reason = new Error('the client left');
    signal.abort(reason);
    signal.abort(new Error('again'));
    expect(heard).toHaveBeenCalledTimes(2);
    expect(heard).toHaveBeenCalledWith(reason);
    expect(removed).not.toHaveBeenCalled();
    expect(signal).toMatchObject({ aborted: true, reason });
    expect(() => signal.throwIfAborted()).toThrow(reason);
  });

  test('is an AbortError where no reason is given', () => {
    const signal = new RequestSignal();
    signal.abort();
    expect(signal.reason).toMatchObject({ name: 'AbortError' });
  });

  test('becomes one of the platform', () => {
    const signal = new RequestSignal();
    const own = toAbortSignal(signal);
    expect(AbortSignal.any([own]).aborted).toBe(false);
    signal.abort('gone');
    expect(own).toMatchObject({ aborted: true, reason: 'gone' });
    expect(toAbortSignal(signal).aborted).toBe(true);
    expect(toAbortSignal(own)).toBe(own);
  });
});
