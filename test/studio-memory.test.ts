// The memory page in a real browser: boards and texts as maps, search by what is shared, recall in plain words.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Memory, TextMemory } from '../src/memory/index.ts';
import { createServer, type CairnServer } from '../src/serve/index.ts';
import { createFixtureBoards } from './_fixtures/boards.ts';
import { haveBrowser, launchBrowser } from './_fixtures/browser.ts';
import { FITS, POOR_CONTRAST } from './_fixtures/in-page.ts';
import { openPage } from './_fixtures/page.ts';

const NOTES = `# Walks

Ann lost the brass key near Mount Orla in May.

Bob found the brass key. He gave it to Ann at Mount Orla.

The weather at Mount Orla was bad that week.

# Work

The report for Helvetia Bank is late. Carla writes it.

Carla sent the report to Helvetia Bank on Friday.
`;

describe.skipIf(!haveBrowser('memory page'))('memory page', () => {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-memory-page-'));
  let browser: Browser;
  let server: CairnServer;
  let complaints: string[] = [];

  beforeAll(async () => {
    const notes = await TextMemory.open({ path: join(dir, 'notes.db'), seed: 'page' });
    const memory = await Memory.open({ path: ':memory:', seed: 'page' });
    for (let i = 0; i < 60; i++) {
      const attributes = new Float32Array(10);
      attributes[i % 10] = 1;
      const one = (at: number): Float32Array => Float32Array.from({ length: 10 }, (_, k) => (k === at ? 1 : 0));
      const root = {
        module: 'scene',
        attributes,
        inputs: [
          { object: { module: 'part', attributes: one(i % 7) }, weight: 0.5 },
          { object: { module: 'place', attributes: one(0) }, weight: 0.5 },
        ],
      };
      await memory.remember(root, { task: 'see', provenance: { source: `s${i}` }, at: i });
    }
    server = await createServer({
      boards: async () => Object.assign(createFixtureBoards(), { memory: { memory, label: () => undefined } }),
      notes: async () => notes,
      port: 0,
    });
    [browser] = await Promise.all([launchBrowser(), server.ready]);
    const sent = await fetch(new URL('/api/remember?name=notes.md', server.url), { method: 'POST', body: NOTES });
    expect(sent.status).toBe(201);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    rmSync(dir, { recursive: true, force: true });
  });
  afterEach(() => {
    const heard = complaints;
    complaints = [];
    expect(heard).toEqual([]);
  });

  async function open(options: BrowserContextOptions = {}): Promise<Page> {
    // A browser without a graphics card says that reading pixels is slow there.
    const complain = (text: string): void => void (/GL Driver Message|WebGL/.test(text) || complaints.push(text));
    const page = await openPage(browser, new URL('/memory', server.url), complain, options);
    await page.getByRole('region', { name: 'What it takes' }).waitFor();
    return page;
  }

  test('a map of events and shared components; a component opens the events that have it', async () => {
    const page = await open();
    expect(await page.getByRole('region', { name: 'The map' }).innerText()).toMatch(/60 of 60 events[^]+7 components/);
    await page.getByRole('region', { name: 'Components' }).getByRole('button').first().click();
    const card = page.getByRole('region', { name: 'Component', exact: true });
    expect(await card.innerText()).toMatch(/An output of part that \d events on the map share/);
    await card
      .getByRole('button', { name: /^event \d+$/ })
      .first()
      .click();
    expect(await page.getByRole('region', { name: 'Event', exact: true }).innerText()).toMatch(/Event \d+/);
    await page.getByRole('button', { name: 'Close' }).click();
    await page.getByRole('searchbox').fill('s17');
    await page.getByText('1 on the map').waitFor();
  });

  test('texts: components have their names, a question finds the passage', async () => {
    const page = await open();
    await page.getByText('texts', { exact: true }).click();
    await page.getByRole('button', { name: 'mount orla' }).waitFor();
    await page.getByRole('searchbox').fill('Who found the key?');
    await page.getByRole('button', { name: 'Recall' }).click();
    await expect
      .poll(() => page.getByRole('region', { name: 'Recalled' }).getByRole('listitem').first().innerText())
      .toContain('Bob found the brass key');
  });

  test.each([
    ['a phone in the dark', { viewport: { width: 380, height: 740 }, colorScheme: 'dark' }],
    ['a wide screen', { viewport: { width: 1600, height: 900 } }],
  ] satisfies [string, BrowserContextOptions][])('on %s everything fits and can be read', async (_name, options) => {
    const page = await open(options);
    expect(await page.evaluate<boolean>(FITS)).toBe(true);
    expect(await page.evaluate<unknown[]>(POOR_CONTRAST)).toEqual([]);
  });
});
