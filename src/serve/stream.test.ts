// The board stream: runs only while someone watches, one board at a time, pausable, steppable, and a fault stops it without harm.
import { expect, test } from 'vitest';
import { CairnError } from '../errors.ts';
import { BoardStream, type StreamOptions } from './stream.ts';

function start(options: Partial<StreamOptions<number>> = {}) {
  const boards: number[] = [];
  let made = 0;
  let running = 0;
  const waiting: { count: number; resolve: () => void }[] = [];
  const stream = new BoardStream<number>({
    next: async () => {
      expect(++running).toBe(1);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return ++made;
    },
    onBoard: (board) => {
      boards.push(board);
      for (const w of waiting.splice(0)) {
        if (boards.length >= w.count) w.resolve();
        else waiting.push(w);
      }
    },
    onState: () => undefined,
    paceMs: 1,
    ...options,
  });
  const reached = (count: number): Promise<void> =>
    boards.length >= count ? Promise.resolve() : new Promise((resolve) => waiting.push({ count, resolve }));
  return { stream, boards, reached };
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setTimeout(resolve, 1));
};

test('runs while someone watches, and only then', async () => {
  const { stream, boards, reached } = start();
  await settle();
  expect(boards).toEqual([]);
  stream.watch(1);
  await reached(3);
  stream.watch(0);
  await settle();
  const seen = boards.length;
  await settle();
  expect(boards).toHaveLength(seen);
  expect(boards).toEqual(boards.map((_, i) => i + 1));
  await stream.close();
});

test('pause, step and resume', async () => {
  const { stream, boards, reached } = start();
  stream.pause();
  stream.watch(1);
  await settle();
  expect(boards).toEqual([]);
  expect(await stream.step()).toBe(1);
  expect(await stream.step()).toBe(2);
  await settle();
  expect(boards).toEqual([1, 2]);
  expect(stream.state).toMatchObject({ running: false, paused: true, boards: 2 });
  stream.resume();
  await reached(4);
  await stream.close();
});

test('steps asked for at once run one after another', async () => {
  const { stream } = start();
  expect(await Promise.all([stream.step(), stream.step(), stream.step()])).toEqual([1, 2, 3]);
  await stream.close();
});

test('a change of speed is felt at once', async () => {
  const { stream, reached } = start({ paceMs: 3_600_000 });
  stream.watch(1);
  await reached(1);
  stream.setSpeed('max');
  await reached(20);
  expect(stream.state.speed).toBe('max');
  await stream.close();
});

test('refuses speeds out of range with a coded error', () => {
  const { stream } = start();
  for (const bad of [0, -1, 33, Number.NaN, '2', null, undefined, {}]) {
    expect(() => stream.setSpeed(bad)).toThrow('Expected a speed from 0.1 to 32 or "max", got something else.');
  }
});

test('a fault pauses the stream and is told; resuming tries again', async () => {
  let calls = 0;
  const { stream, reached } = start({
    next: async () => {
      if (++calls === 2)
        throw new CairnError('disk_full', 'Expected room on the disk, got none.', { hint: 'Make room.' });
      return calls;
    },
  });
  stream.watch(1);
  await reached(1);
  await settle();
  expect(stream.state).toMatchObject({ paused: true, fault: { code: 'disk_full', hint: 'Make room.' } });
  stream.resume();
  expect(stream.state.fault).toBeUndefined();
  await reached(3);
  await stream.close();
});

test('a fault of a step reaches the caller and does not stop later ones', async () => {
  let calls = 0;
  const { stream } = start({
    next: async () => {
      if (++calls === 1) throw new CairnError('bad_image', 'Expected a board, got none.');
      return calls;
    },
  });
  await expect(stream.step()).rejects.toThrow('Expected a board, got none.');
  expect(await stream.step()).toBe(2);
  await stream.close();
});

test('close waits for the board at hand and refuses more', async () => {
  let finish: () => void = () => undefined;
  let done = false;
  const { stream } = start({
    next: () =>
      new Promise((resolve) => {
        finish = () => {
          done = true;
          resolve(1);
        };
      }),
  });
  stream.watch(1);
  await settle();
  const closed = stream.close();
  finish();
  await closed;
  expect(done).toBe(true);
  await expect(stream.step()).rejects.toThrow('closing');
});
