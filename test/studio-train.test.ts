// Training in a real browser: the same numbers as in Node, a model of Node goes on here, and a model of here is loaded in Node.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { charTokenizer, randomWindows } from '../src/data/index.ts';
import {
  compileTrainStep,
  createLmEvaluator,
  DEFAULT_RECIPE,
  defineLmStep,
  lmConfig,
  lmStepFeeds,
  loadLm,
  saveLm,
  train,
} from '../src/nn/index.ts';
import { createOrtExecutor, ModelState, type OrtExecutor, Rng } from '../src/tensor/index.ts';
import { createServer, type CairnServer } from '../src/serve/index.ts';
import { createFixtureBoards } from './_fixtures/boards.ts';
import { haveBrowser, launchBrowser, SOFTWARE_WEBGPU } from './_fixtures/browser.ts';
import { FITS, POOR_CONTRAST } from './_fixtures/in-page.ts';
import { openPage } from './_fixtures/page.ts';

const TEXT = Array.from({ length: 300 }, (_, i) => `the ${i % 7} cairns stand on hill ${i % 11} of ${i % 13}.\n`).join(
  '',
);
const STEPS = 8;

/** What the page does, in Node: held-out loss after the steps. */
async function inNode(executor: OrtExecutor, seed: number, dir: string, steps = STEPS): Promise<number> {
  const tokenizer = charTokenizer(TEXT);
  const size = { hidden_size: 64, num_hidden_layers: 4, num_attention_heads: 4, max_position_embeddings: 64 };
  const config = lmConfig({ ...size, vocab_size: tokenizer.vocabSize, altup_num_inputs: 2 });
  const settings = { ...DEFAULT_RECIPE, batch: 16, rate: 2e-3, beta2: 0.95, weightDecay: 0.05, eps: 1e-8 };
  const step = defineLmStep(config, { batch: 16, length: 64 }, settings);
  const state = ModelState.init(step, new Rng(seed).fork('weights'));
  const cut = Math.floor(TEXT.length * 0.9);
  const tokens = tokenizer.encode(TEXT.slice(0, cut));
  const windows = randomWindows({ tokens, batch: 16, length: 64, rng: new Rng(seed).fork('data') });
  await using program = await compileTrainStep(executor, step, state, settings);
  await train({
    program,
    state,
    feeds: (at) => lmStepFeeds(config, 16, windows.at(at)),
    schedule: { kind: 'cosine', peak: settings.rate, warmup: settings.warmup, final: settings.final },
    beta1: settings.beta1,
    beta2: settings.beta2,
    length: { steps },
    clock: () => 0,
  });
  await saveLm(dir, { config, state, tokenizer, generation: {} });
  await using evaluator = await createLmEvaluator(config, state, executor);
  return await evaluator.loss(tokenizer.encode(TEXT.slice(cut)), 64);
}

describe.skipIf(!haveBrowser('training page'))('training page', () => {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-train-'));
  let browser: Browser;
  let server: CairnServer;
  let executor: OrtExecutor;
  let complaints: string[] = [];

  beforeAll(async () => {
    server = await createServer({ boards: async () => createFixtureBoards(), port: 0 });
    [browser, executor] = await Promise.all([launchBrowser(), createOrtExecutor(), server.ready]);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await executor?.dispose();
    rmSync(dir, { recursive: true, force: true });
  });
  afterEach(() => {
    const heard = complaints;
    complaints = [];
    expect(heard).toEqual([]);
  });

  async function open(options: BrowserContextOptions = {}, where = browser): Promise<Page> {
    const complain = (text: string): void => void complaints.push(text);
    const page = await openPage(where, new URL('/train', server.url), complain, { timeout: 40_000, ...options });
    await page.getByRole('heading', { level: 1, name: 'Train' }).waitFor();
    return page;
  }

  /** Trains and returns the held-out loss that is shown at the end. */
  async function run(page: Page, seed: number, steps = STEPS): Promise<number> {
    await page.getByLabel(/^Text to learn/).fill(TEXT);
    await page.getByLabel('Steps of 1,024 characters').fill(String(steps));
    await page.getByRole('spinbutton', { name: 'Seed' }).fill(String(seed));
    await page.getByRole('button', { name: 'Train', exact: true }).click();
    const last = page.locator('.runs li').last();
    await last.filter({ hasText: /held out/ }).waitFor();
    return Number(/([\d.]+) held out/.exec(await last.innerText())![1]);
  }

  test(
    'a run gives the loss of the same run in Node, in threads; its model is loaded in Node, and one of Node goes on',
    { timeout: 180_000 },
    async () => {
      const page = await open();
      expect(await page.evaluate<boolean>('crossOriginIsolated')).toBe(true);
      const here = await run(page, 11);
      const there = await inNode(executor, 11, join(dir, 'node'));
      expect(Math.abs(here - there)).toBeLessThan(2e-3);
      expect(await page.getByText(/parameters, ort-web/).innerText()).toMatch(
        /parameters, ort-web-wasm-[2-4], compiled in .+ s; [\d,]+ characters\/s/,
      );
      await page.locator('.written').filter({ hasText: /\w/ }).waitFor();

      const saved: string[] = [];
      page.on('download', (file) => {
        saved.push(file.suggestedFilename());
        void file.saveAs(join(dir, 'browser', file.suggestedFilename()));
      });
      const button = page.getByRole('button', { name: 'Save the model' });
      await expect.poll(() => button.isEnabled(), { timeout: 30_000 }).toBe(true);
      await button.click();
      await expect.poll(() => saved.length, { timeout: 30_000 }).toBe(4);
      await expect
        .poll(
          async () => (await loadLm(join(dir, 'browser'), executor).catch(() => undefined))?.config.altup_num_inputs,
        )
        .toBe(2);
      const model = await loadLm(join(dir, 'browser'), executor);
      await using evaluator = await createLmEvaluator(model.config, model.state, executor);
      const tail = model.tokenizer.encode(TEXT.slice(Math.floor(TEXT.length * 0.9)));
      expect(Math.abs((await evaluator.loss(tail, 64)) - here)).toBeLessThan(1e-3);

      const files = ['config.json', 'model.safetensors', 'tokenizer.json'].map((name) => join(dir, 'node', name));
      await page.getByLabel(/^Go on from a model/).setInputFiles(files);
      expect(await run(page, 12)).toBeLessThan(there - 0.05);
    },
  );

  test('on WebGPU a run gives the same loss', { timeout: 180_000 }, async () => {
    const drawing = await launchBrowser(SOFTWARE_WEBGPU);
    try {
      const page = await open({}, drawing);
      if (!(await page.evaluate<boolean>('navigator.gpu?.requestAdapter().then(Boolean) ?? false'))) {
        console.warn('*** training page on WebGPU: SKIPPED, because this Chromium has no software adapter.');
        return;
      }
      page.setDefaultTimeout(150_000); // a processor takes five seconds for a step here
      await page.getByLabel('Runs on').selectOption('webgpu');
      const here = await run(page, 11, 2);
      expect(Math.abs(here - (await inNode(executor, 11, join(dir, 'webgpu'), 2)))).toBeLessThan(5e-3);
      await page.getByText(/parameters, ort-web-webgpu/).waitFor();
      complaints = complaints.filter((text) => !/adapter|GPU|Vulkan/i.test(text));
    } finally {
      await drawing.close();
    }
  });

  test('what cannot be trained is said', async () => {
    const page = await open();
    await page.getByLabel(/^Text to learn/).fill('too short');
    await page.getByRole('button', { name: 'Train', exact: true }).click();
    expect(await page.getByRole('alert').innerText()).toContain('Paste a longer text');
    await page.getByLabel(/^Go on from a model/).setInputFiles([join(import.meta.dirname, '../package.json')]);
    await page.getByRole('button', { name: 'Train', exact: true }).click();
    await page
      .getByRole('alert')
      .filter({ hasText: 'Expected config.json among the files, got package.json' })
      .waitFor();
  });

  test.each([
    ['a phone in the dark', { viewport: { width: 380, height: 740 }, colorScheme: 'dark' }],
    ['a wide screen', { viewport: { width: 1600, height: 900 } }],
  ] satisfies [string, BrowserContextOptions][])('on %s everything fits and can be read', async (name, options) => {
    const page = await open(options);
    if (name.includes('phone')) await run(page, 3);
    expect(await page.evaluate<boolean>(FITS)).toBe(true);
    expect(await page.evaluate<unknown[]>(POOR_CONTRAST)).toEqual([]);
  });
});
