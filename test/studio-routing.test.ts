// The routing page in a real browser, in front of played models: what a person sees before and after models are configured.
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createMockUpstream, type MockUpstream } from '../src/providers/index.ts';
import { fitRouter, generatePool } from '../src/route/index.ts';
import { createServer, Gateway, type CairnServer } from '../src/serve/index.ts';
import { createFixtureBoards } from './_fixtures/boards.ts';
import { haveBrowser, launchBrowser } from './_fixtures/browser.ts';
import { FITS, POOR_CONTRAST } from './_fixtures/in-page.ts';

describe.skipIf(!haveBrowser('routing page'))('routing page', () => {
  const { table } = generatePool({ seed: 'studio', prompts: 300, models: 4 });
  let browser: Browser;
  let upstream: MockUpstream;
  let gateway: Gateway;
  let server: CairnServer;
  let complaints: string[] = [];

  beforeAll(async () => {
    upstream = await createMockUpstream({ models: Object.fromEntries(table.models.map((m) => [m.id, {}])) });
    gateway = await Gateway.open({});
    server = await createServer({ boards: async () => createFixtureBoards(), gateway: async () => gateway, port: 0 });
    [browser] = await Promise.all([launchBrowser(), server.ready]);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await upstream?.close();
  });
  afterEach(() => {
    const heard = complaints;
    complaints = [];
    expect(heard).toEqual([]);
  });

  async function open(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 900 },
      reducedMotion: 'reduce',
      ...options,
    });
    const page = await context.newPage();
    page.setDefaultTimeout(8_000);
    page.on('console', (m) => ['error', 'warning'].includes(m.type()) && complaints.push(m.text()));
    page.on('pageerror', (e) => complaints.push(e.message));
    await page.goto(new URL('/routing', server.url).href);
    await page.getByRole('heading', { level: 1, name: 'Routing' }).waitFor();
    return page;
  }

  async function ask(k: number): Promise<void> {
    const body = JSON.stringify({ model: 'cairn/auto', messages: [{ role: 'user', content: table.prompts[k]!.text }] });
    const response = await fetch(new URL('/v1/chat/completions', server.url), { method: 'POST', body });
    expect(response.status).toBe(200);
    await response.text();
  }

  test('without models it says what to write, and the boards are one link away', async () => {
    const page = await open();
    await page.getByText('No models yet').waitFor();
    expect(await page.locator('pre').innerText()).toContain('"apiKeyEnv"');
    await page.getByRole('link', { name: 'Boards', exact: true }).click();
    await page.locator('.cell').first().waitFor();
    await page.goBack();
    await page.getByText('No models yet').waitFor();
  });

  test('decisions arrive live and say why; the pool and the curves are there; a prompt is routed without a call', async () => {
    await gateway.configure({
      providers: [{ id: 'mock', kind: 'openai', baseUrl: upstream.url }],
      models: table.models.map((m) => ({
        id: m.id,
        provider: 'mock',
        priceIn: m.price_in_per_mtok,
        priceOut: m.price_out_per_mtok,
      })),
    });
    gateway.useRouter(fitRouter(table, { seed: 7 }));
    for (let k = 0; k < 55; k++) await ask(k);
    const page = await open();
    const list = page.getByRole('region', { name: 'Decisions' }).getByRole('listitem');
    await expect.poll(() => list.count()).toBeGreaterThanOrEqual(55);
    expect(await page.getByRole('region', { name: 'Pool' }).getByRole('row').count()).toBe(5);
    expect(await page.locator('svg.curve').count()).toBe(2);
    const card = page.getByRole('region', { name: 'Decision', exact: true });
    expect(await card.innerText()).toMatch(/Why model-[a-d]/);
    expect(await card.innerText()).toMatch(/for prompts of kind \d+ \(.+ sure of the kind\), expected to be wrong in/);
    expect(await card.getByRole('row').count()).toBe(5);

    const learning = page.getByRole('region', { name: 'Learning' });
    expect(await learning.innerText()).toMatch(/No outcome was told yet.*Bounded on the labelled prompts/s);
    await card.getByRole('button', { name: 'Bad answer' }).click();
    await page.locator('button[aria-pressed="true"]', { hasText: 'Bad answer' }).waitFor();
    expect(gateway.learning.view().outcomes).toBe(1);
    await card.getByRole('button', { name: 'Bad answer' }).click();
    await expect.poll(() => gateway.learning.view().outcomes).toBe(0);

    const before = await list.first().innerText();
    await ask(60);
    await expect.poll(() => page.getByRole('region', { name: 'Totals' }).innerText()).toContain('56');
    expect(before).toMatch(/model-[a-d]/);

    const served = upstream.served();
    await page.getByPlaceholder('A prompt of yours').fill(table.prompts[7]!.text);
    await page.getByRole('button', { name: 'Route, do not ask' }).click();
    await page.getByRole('region', { name: 'Try a prompt' }).getByRole('row').nth(4).waitFor();
    expect(upstream.served()).toBe(served);
  });

  test.each([
    ['a phone in the dark', { viewport: { width: 380, height: 740 }, colorScheme: 'dark' }],
    ['a wide screen', { viewport: { width: 1600, height: 900 } }],
  ] satisfies [string, BrowserContextOptions][])('on %s everything fits and can be read', async (_name, options) => {
    const page = await open(options);
    await page.getByRole('region', { name: 'Pool' }).waitFor();
    expect(await page.evaluate<boolean>(FITS)).toBe(true);
    expect(await page.evaluate<unknown[]>(POOR_CONTRAST)).toEqual([]);
  });
});
