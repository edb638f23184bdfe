// The routing page in a real browser, in front of played models: what a person sees before and after models are configured.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createMockUpstream, type MockUpstream } from '../src/providers/index.ts';
import { fitRouter, generatePool } from '../src/route/index.ts';
import { createServer, Gateway, type CairnServer } from '../src/serve/index.ts';
import { createFixtureBoards } from './_fixtures/boards.ts';
import { haveBrowser, launchBrowser } from './_fixtures/browser.ts';
import { FITS, POOR_CONTRAST } from './_fixtures/in-page.ts';
import { openPage } from './_fixtures/page.ts';

describe.skipIf(!haveBrowser('routing page'))('routing page', () => {
  const { table } = generatePool({ seed: 'studio', prompts: 300, models: 4 });
  let browser: Browser;
  let upstream: MockUpstream;
  let gateway: Gateway;
  let server: CairnServer;
  let complaints: string[] = [];
  let dir: string;

  beforeAll(async () => {
    upstream = await createMockUpstream({ models: Object.fromEntries(table.models.map((m) => [m.id, {}])) });
    dir = mkdtempSync(join(tmpdir(), 'cairn-routing-'));
    gateway = await Gateway.open({ configPath: join(dir, 'cairn.json'), configOptional: true });
    server = await createServer({ boards: async () => createFixtureBoards(), gateway: async () => gateway, port: 0 });
    [browser] = await Promise.all([launchBrowser(), server.ready]);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await upstream?.close();
    rmSync(dir, { recursive: true, force: true });
  });
  afterEach(() => {
    const heard = complaints;
    complaints = [];
    expect(heard).toEqual([]);
  });

  async function open(options: BrowserContextOptions = {}): Promise<Page> {
    const complain = (text: string): void => void complaints.push(text);
    const page = await openPage(browser, new URL('/routing', server.url), complain, options);
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
    await page.getByText('Or write it yourself').click();
    expect(await page.locator('pre').innerText()).toContain('"apiKeyEnv"');
    await page.getByRole('link', { name: 'Boards', exact: true }).click();
    await page.locator('.cell').first().waitFor();
    await page.goBack();
    await page.getByText('No models yet').waitFor();
  });

  test('a first model is configured in the form, a second with its cost said before, and a faulty change is refused', async () => {
    const file = (): { models: { id: string }[] } => JSON.parse(readFileSync(join(dir, 'cairn.json'), 'utf8')) as never;
    const page = await open();
    await page.getByLabel('Kind of server').selectOption('local');
    await page.getByLabel('Address').fill(upstream.url);
    await page.getByLabel('Model', { exact: true }).fill('model-a');
    await page.getByLabel('$ per million tokens in').fill('0.5');
    await page.getByRole('button', { name: 'Save' }).click();
    const pool = page.getByRole('region', { name: 'Pool' });
    await pool.getByRole('row', { name: /model-a/ }).waitFor();
    expect(file().models).toEqual([{ id: 'model-a', provider: 'local', priceIn: 0.5 }]);
    expect(gateway.config.models).toMatchObject([{ id: 'model-a', priceIn: 0.5 }]);

    await pool.getByText('Add a model').click();
    await pool.getByLabel('The provider’s name for it').fill('nobody');
    await pool.getByRole('button', { name: 'What would it cost?' }).click();
    await pool.getByRole('status').waitFor();
    await pool.getByRole('button', { name: 'Add it' }).click();
    expect(await pool.getByRole('alert').innerText()).toContain('Nothing was added');
    complaints = complaints.filter((text) => !text.includes('502'));
    await pool.getByLabel('The provider’s name for it').fill('model-b');
    await pool.getByLabel('How clients name it').fill('second/b');
    await pool.getByRole('button', { name: 'What would it cost?' }).click();
    await pool.getByRole('button', { name: 'Add it' }).click();
    await pool.getByRole('row', { name: /second\/b/ }).waitFor();
    page.on('dialog', (dialog) => void dialog.accept());
    await pool.getByRole('button', { name: 'Remove second/b' }).click();
    await expect.poll(() => pool.getByRole('row').count()).toBe(2);

    const editor = page.getByRole('region', { name: 'Configuration' });
    await editor.getByRole('heading').click();
    const text = editor.getByLabel('The configuration as JSON');
    const config = JSON.parse(await text.inputValue()) as { models: object[] };
    await text.fill(JSON.stringify({ ...config, routing: { reference: 'none' } }));
    await editor.getByRole('button', { name: 'Check' }).click();
    expect(await editor.getByRole('alert').innerText()).toContain('got "none"');
    await text.fill('{');
    await editor.getByRole('button', { name: 'Save' }).click();
    expect(await editor.getByRole('alert').innerText()).toContain('Expected JSON');
    await text.fill(JSON.stringify({ ...config, aliases: { cheap: 'model-a' } }));
    await editor.getByRole('button', { name: 'Save' }).click();
    await editor.getByText('Saved and taken over').waitFor();
    expect(gateway.config.aliases).toEqual({ cheap: 'model-a' });
    complaints = complaints.filter((said) => !said.includes('400'));
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

    for (const record of (await gateway.decisions(40)).filter((d) => d.by === 'uniroute')) {
      await gateway.learning.report(record, { outcome: 0, source: 'test' });
      gateway.amend({ ...record, outcome: 0, outcomeSource: 'test' });
    }
    await learning.getByRole('img', { name: /Errors beyond the expected over time: .+ more wrong answers/ }).waitFor();
    await learning.getByRole('alert').waitFor();

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
    await page.getByText('Add a model').click();
    await page.getByRole('region', { name: 'Configuration' }).getByRole('heading').click();
    await page.getByLabel('The configuration as JSON').waitFor();
    expect(await page.evaluate<boolean>(FITS)).toBe(true);
    expect(await page.evaluate<unknown[]>(POOR_CONTRAST)).toEqual([]);
  });
});
