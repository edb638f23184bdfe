import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { featureNames } from 'cairn/memory';
import { findLocomo, readLocomo, toChat } from './data.ts';
import { type FitQuestion, fitWeights } from './fit.ts';
import { run } from './index.ts';
import { interval, mean, outcomes } from './score.ts';

const root = mkdtempSync(join(tmpdir(), 'cairn-locomo-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const signal = new AbortController().signal;

const said = (session: number, texts: readonly string[]): object[] =>
  texts.map((text, i) => ({ speaker: i % 2 === 0 ? 'Ann' : 'Bo', dia_id: `D${session}:${i + 1}`, text }));
const conversation = {
  sample_id: 'conv-26',
  conversation: {
    speaker_a: 'Ann',
    speaker_b: 'Bo',
    session_1: said(1, ['I bought a red canoe.', 'Where will you row?', 'On the lake near Oslo.']),
    session_1_date_time: '1:56 pm on 8 May, 2023',
    session_2: said(2, ['My sister plays the cello.', 'Mine paints boats.']),
    session_2_date_time: '9:00 am on 9 June, 2023',
  },
  qa: [
    { question: 'What did Ann buy?', evidence: ['D1:1'], category: 4 },
    { question: 'What do the sisters do?', evidence: ['D2:1; D2:02', 'D9:9'], category: 1 },
    { question: 'Who?', evidence: [], category: 3 },
  ],
};

it('says aloud when the data are absent', async () => {
  const lines: string[] = [];
  const report = await run({ quick: true, seed: 1, data: join(root, 'none'), log: (line) => lines.push(line), signal });
  expect(report.rows).toEqual([]);
  expect(lines.join()).toContain('LoCoMo: skipped');
});

it('cleans the evidence and measures every method by hand-checked figures', async () => {
  const file = join(root, 'locomo-tiny.json');
  writeFileSync(file, JSON.stringify([conversation]));
  expect(findLocomo(root)).toBe(file);
  const [read] = readLocomo(file);
  expect(read!.questions.map(({ gold }) => gold)).toEqual([[0], [3, 4]]);
  expect(read!.dropped).toEqual({ ids: 1, questions: 1 });
  expect(toChat(read!).split('\n')).toHaveLength(5);
  const found = outcomes(read!, [
    [0, 1],
    [4, 2],
  ]);
  expect(found.map(({ recall, any, sessions }) => [recall, any, sessions])).toEqual([
    [1, 1, 1],
    [0.5, 1, 1],
  ]);
  const report = await run({ quick: true, seed: 3, data: root, log: () => undefined, signal });
  const row = report.rows.find(({ case: name, peerName }) => name === 'one conversation: all' && peerName === 'BM25')!;
  // Five turns: the best ten hold everything that anything speaks for.
  expect(row.ours).toBeGreaterThanOrEqual(50);
  expect(row.peer).toBe(100);
  expect(JSON.parse(JSON.stringify(report))).toEqual(report);
});

it('intervals cover the mean of repeated draws, and fitted weights find the feature that tells', () => {
  expect(interval([1, 1, 1], 5)).toEqual([1, 1]);
  const half = Array.from({ length: 400 }, (_, i) => i % 2);
  const [low, high] = interval(half, 5);
  expect(low).toBeLessThan(mean(half));
  expect(high).toBeGreaterThan(mean(half));
  expect(high - low).toBeGreaterThan(0.07);
  expect(high - low).toBeLessThan(0.13);
  const k = featureNames.length;
  const tells = featureNames.indexOf('window');
  const questions: FitQuestion[] = Array.from({ length: 30 }, (_, q) => {
    const features = new Float64Array(8 * k).map((_, i) => Math.abs(Math.sin(i * 7 + q * 13)));
    for (let i = 0; i < 8; i++) features[i * k + tells] = i === q % 8 ? 1 : 0.1;
    return { features, count: 8, gold: new Set([q % 8]) };
  });
  const weights = fitWeights(questions);
  expect(weights.window).toBe(Math.max(...featureNames.map((name) => weights[name])));
  expect(weights.window).toBeGreaterThan(1);
  for (const name of featureNames) if (name !== 'question') expect(weights[name]).toBeGreaterThanOrEqual(0);
  expect(fitWeights(questions, { without: new Set(['window']) }).window).toBe(0);
});
