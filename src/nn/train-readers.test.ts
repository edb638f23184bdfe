import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Digits } from '../data/index.ts';
import { createOrtExecutor, Rng } from '../tensor/index.ts';
import { loadClassifier } from './classifier.ts';
import { heldOutRows, trainReaders } from './train-readers.ts';

/** Ten easy classes: a bright block whose place tells the digit, on noise. */
function blocks(count: number, seed: number): Digits {
  const rng = new Rng(seed);
  const labels = Uint8Array.from({ length: count }, () => rng.integer(10));
  const images = new Uint8Array(count * 784);
  labels.forEach((y, i) => {
    for (let k = 0; k < 784; k++) images[i * 784 + k] = rng.integer(40);
    const [top, left] = [4 + 10 * Math.floor(y / 5), 3 + 5 * (y % 5)];
    for (let r = top; r < top + 7; r++) images.fill(230, i * 784 + r * 28 + left, i * 784 + r * 28 + left + 3);
  });
  return { images, labels, count };
}

const data = { train: blocks(1560, 1), test: blocks(300, 2) };
let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'readers-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('the small reader learns, is written, and an aborted run ends in the same weights', async () => {
  await using executor = await createOrtExecutor({ threads: 1 });
  const base = { seed: 7, sizes: ['small'] as const, data, executor };
  const [a, b] = [join(folder, 'a'), join(folder, 'b')];
  const [report] = await trainReaders({ ...base, dir: a });
  expect(report?.test.accuracy).toBeGreaterThan(0.9);
  const dir = join(a, 'read-digit-small');
  expect((await readdir(dir)).sort()).toEqual(['README.md', 'config.json', 'model.safetensors', 'training.json']);
  expect(await readFile(join(dir, 'README.md'), 'utf8')).toContain('cairn train readers --seed 7');
  const reader = await loadClassifier(dir, executor);
  expect(reader.config.temperature).toBe(report?.temperature);
  expect(reader.config.flops_per_input).toBe(reader.flopsPerInput);

  const stop = new AbortController();
  const cut = trainReaders({ ...base, dir: b, signal: stop.signal, onProgress: (p) => p.step === 20 && stop.abort() });
  await expect(cut).rejects.toThrow('Expected to train the small reader, got an abort after 20 steps.');
  const steps: number[] = [];
  await trainReaders({ ...base, dir: b, resume: true, onProgress: (p) => steps.push(p.step) });
  expect(steps[0]).toBe(21);
  const weights = (folder: string): Promise<Buffer> => readFile(join(folder, 'read-digit-small', 'model.safetensors'));
  expect((await weights(a)).equals(await weights(b))).toBe(true);

  const again = await trainReaders({
    ...base,
    dir: a,
    resume: true,
    onProgress: () => expect.unreachable('finished already'),
  });
  expect(again).toEqual([report]);
});

test('held-out rows are a fixed twelfth', () => {
  expect(heldOutRows(7, 60_000).length).toBe(5000);
  expect(new Set(heldOutRows(7, 1200)).size).toBe(100);
  expect(heldOutRows(7, 1200)).toEqual(heldOutRows(7, 1200));
});
