// The growth timeline and the concept pages in a real browser: what was found, with its figures, its events and its members.
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { createServer, type CairnServer } from '../src/serve/index.ts';
import { createFixtureBoards } from './_fixtures/boards.ts';
import { haveBrowser, launchBrowser } from './_fixtures/browser.ts';
import { createFixtureGrowths } from './_fixtures/growths.ts';
import { FITS, POOR_CONTRAST } from './_fixtures/in-page.ts';
import { openPage } from './_fixtures/page.ts';

describe.skipIf(!haveBrowser('growth page'))('growth pages', () => {
  let browser: Browser;
  let server: CairnServer;
  let complaints: string[] = [];

  beforeAll(async () => {
    const boards = createFixtureBoards({ startAt: 30 });
    const growths = await createFixtureGrowths(boards);
    server = await createServer({ boards: async () => Object.assign(boards, { growths }), port: 0 });
    [browser] = await Promise.all([launchBrowser(), server.ready]);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  afterEach(() => {
    const heard = complaints;
    complaints = [];
    expect(heard).toEqual([]);
  });

  async function open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
    return openPage(browser, new URL(path, server.url), (text) => void complaints.push(text), options);
  }

  test('the timeline tells what was found, from how many events, and what it saves', async () => {
    const page = await open('/growth');
    const module = page.getByRole('article', { name: /makes an event cost 61/ });
    await module.waitFor();
    const said = await module.innerText();
    expect(said).toMatch(/in force[^]*from 30 events/);
    expect(said).toMatch(/small → medium → large[^]*9\.1 Mflop[^]*5\.6 Mflop/);
    expect(said).toMatch(/61 % of before \(52 % to 71 %\)/);
    await module.getByText('The 30 events').click();
    const events = module.getByRole('listitem').filter({ hasText: /^[0-9a-f]{8}$/ });
    await expect.poll(() => events.count()).toBeGreaterThan(20);
    const patterns = await page.getByRole('article', { name: /15 patterns/ }).innerText();
    expect(patterns).toMatch(/15,511 bits \(35 %\)[^]*11,680 bits[^]*only candidate, by row × 5/);
    expect(
      await page
        .getByRole('article', { name: /No cheaper module/ })
        .first()
        .innerText(),
    ).toMatch(/not worth having[^]*98\.1 % of before/);
  });

  test('growing on demand shows what is done, then what was found', async () => {
    const page = await open('/growth');
    await page.getByRole('article').first().waitFor();
    const before = await page.getByRole('article').count();
    await page.getByRole('button', { name: 'Grow now' }).click();
    await expect.poll(() => page.getByRole('article').count()).toBe(before + 1);
    await page.getByRole('button', { name: 'Grow now' }).waitFor();
  });

  test('the memory page leads to a concept; its members are drawn; what would be lost is told', async () => {
    const page = await open('/concepts/4');
    const members = page.getByRole('region', { name: 'Members' });
    await members.locator('canvas').first().waitFor();
    expect(await members.locator('canvas').count()).toBeGreaterThan(5);
    const box = (await members.locator('canvas').first().boundingBox())!;
    expect(box.width).toBeLessThan(90);
    expect(Math.abs(box.width - box.height)).toBeLessThan(1);
    expect(await page.getByRole('region', { name: 'What they have in common' }).innerText()).toMatch(
      /120[^]*1 of 10[^]*0011/,
    );
    expect(await page.getByRole('region', { name: 'What would be lost' }).innerText()).toMatch(
      /9 equations and 1 edge[^]*same/,
    );
    await page.goto(new URL('/concepts/99', server.url).href);
    await page.getByText('This concept is not there').waitFor();
    complaints = complaints.filter((text) => !/404/.test(text));
  });

  test.each([
    ['a phone in the dark', { viewport: { width: 380, height: 740 }, colorScheme: 'dark' }],
    ['a wide screen', { viewport: { width: 1600, height: 900 } }],
  ] satisfies [string, BrowserContextOptions][])('on %s everything fits and can be read', async (_name, options) => {
    for (const path of ['/growth', '/concepts/2']) {
      const page = await open(path, options);
      await page
        .getByRole(path === '/growth' ? 'article' : 'region')
        .first()
        .waitFor();
      expect(await page.evaluate<boolean>(FITS)).toBe(true);
      expect(await page.evaluate<unknown[]>(POOR_CONTRAST)).toEqual([]);
    }
  });
});

describe('the API of growth', () => {
  let server: CairnServer;
  let finish = (): void => undefined;
  const worked = new Promise<void>((resolve) => {
    finish = resolve;
  });
  beforeAll(async () => {
    const boards = createFixtureBoards({ startAt: 12 });
    const growths = await createFixtureGrowths(boards, () => worked);
    server = await createServer({ boards: async () => Object.assign(boards, { growths }), port: 0, studio: false });
    await server.ready;
  });
  afterAll(() => {
    finish();
    return server.close();
  });

  async function ask(path: string, body?: unknown): Promise<{ status: number; body: ReturnType<JSON['parse']> }> {
    const sent = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
    const response = await fetch(new URL(path, server.url), body === undefined ? {} : sent);
    return { status: response.status, body: await response.json() };
  }

  test('lists, opens, and grows once at a time; bad requests are answered in words', async () => {
    const { body } = await ask('/api/growth');
    expect(body.growing).toBe(false);
    expect(body.growths).toHaveLength(14);
    expect((await ask('/api/growth/11?limit=5')).body.events).toHaveLength(5);
    expect((await ask('/api/growth/77')).status).toBe(404);
    expect((await ask('/api/concepts/11')).status).toBe(404);
    expect((await ask('/api/grow', { kinds: ['magic'] })).body.error.code).toBe('bad_query');
    expect((await ask('/api/grow', { kinds: ['circuit'] })).status).toBe(202);
    expect((await ask('/api/grow', {})).body.error).toMatchObject({ code: 'growing' });
    expect((await ask('/api/growth')).body).toMatchObject({
      growing: true,
      says: 'looking for patterns in deductions',
    });
    finish();
    await expect.poll(async () => (await ask('/api/growth')).body.growths.length).toBe(15);
  });
});
