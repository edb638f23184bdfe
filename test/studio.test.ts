// The studio in a real browser, on the fixture service: what a person sees and does, by mouse, keyboard and phone, without a
// console error, a request to elsewhere, or a jump of the layout.
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { PNG } from 'pngjs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CairnError } from '../src/errors.ts';
import { createServer, type CairnServer } from '../src/serve/index.ts';
import { haveBrowser, launchBrowser } from './_fixtures/browser.ts';
import { createFixtureBoards } from './_fixtures/boards.ts';
import { FITS, FOCUSED_CELL, INKED, POOR_CONTRAST, WATCH_SHIFTS } from './_fixtures/in-page.ts';

describe.skipIf(!haveBrowser('studio'))('studio', () => {
  let browser: Browser;
  let server: CairnServer;
  let context: BrowserContext | undefined;
  let complaints: string[] = [];

  beforeAll(async () => {
    server = await createServer({ boards: async () => createFixtureBoards({ startAt: 20 }), port: 0, speed: 4 });
    [browser] = await Promise.all([launchBrowser(), server.ready]);
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  afterEach(async () => {
    await context?.close();
    context = undefined;
    await fetch(new URL('/api/stream/resume', server.url), { method: 'POST' });
    const heard = complaints;
    complaints = [];
    expect(heard).toEqual([]);
  });

  async function open(path = '/', options: BrowserContextOptions = {}): Promise<Page> {
    context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce', ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(30_000);
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => {
      if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(server.url))
        complaints.push(`request to ${request.url()}`);
    });
    await page.goto(new URL(path, server.url).href);
    await page.locator('.cell').first().waitFor();
    return page;
  }

  /** A page whose stream is paused, so that its board stays. */
  async function openPaused(options: BrowserContextOptions = {}): Promise<Page> {
    await fetch(new URL('/api/stream/pause', server.url), { method: 'POST' });
    return open('/', options);
  }

  async function json(path: string): Promise<ReturnType<JSON['parse']>> {
    return (await fetch(new URL(path, server.url))).json();
  }

  const slider = (page: Page) => page.getByRole('slider');

  test('a board is on the table at once, and new ones follow', async () => {
    const page = await open();
    const heading = page.getByRole('heading', { level: 1 });
    const first = await heading.textContent();
    expect(first).toMatch(/^Board \d+$/);
    await expect.poll(() => heading.textContent()).not.toBe(first);
    expect(await page.getByRole('gridcell').count()).toBe(81);
    expect(await page.locator('.legend li').count()).toBe(5);
    expect(await page.locator('.stats').innerText()).toMatch(/boards\s+\d+/);
    // Handwriting is really drawn.
    const inked = await page.evaluate<number>(INKED);
    expect(inked).toBeGreaterThan(500);
  });

  test('pause holds the stream, step brings exactly one board, go on lets it run', async () => {
    const page = await open();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.getByText('paused', { exact: true }).waitFor();
    const heading = page.getByRole('heading', { level: 1 });
    await page.getByRole('button', { name: 'Step' }).click();
    await page.getByRole('button', { name: 'Go on' }).waitFor();
    await expect.poll(async () => (await page.locator('.event-link b').first().textContent()) ?? '').toMatch(/^\d+$/);
    const number = Number((await heading.textContent())?.slice(6));
    await page.getByRole('button', { name: 'Step' }).click();
    await expect.poll(() => heading.textContent()).toBe(`Board ${number + 1}`);
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByText('live', { exact: true }).waitFor();
    await page.getByRole('radio', { name: 'half speed' }).focus();
    await page.keyboard.press('Space');
    await expect.poll(async () => (await json('/api/stream/state')).speed).toBe(0.5);
    await fetch(new URL('/api/stream/speed?speed=4', server.url), { method: 'POST' });
  });

  test('the slider rebuilds the board from what is left, marks what is wrong, and holds the board', async () => {
    const page = await openPaused();
    const board = page.getByRole('grid');
    await slider(page).focus();
    await slider(page).fill('128');
    await page.getByText('really right').waitFor();
    expect(await board.getAttribute('class')).toContain('is-rebuilt');
    expect(await page.locator('.cell.is-wrong').count()).toBeGreaterThan(0);
    expect(await page.locator('.eraser').innerText()).toMatch(/128 of 1,024 numbers · \d+ B/);
    expect(await page.locator('.cell.is-wrong').first().getAttribute('aria-label')).toMatch(/rebuilt as .+, wrong/);
    // No lower than its end, however far it is pulled.
    await page.keyboard.press('Home');
    await expect.poll(() => slider(page).inputValue()).toBe('96');
    await page.keyboard.press('End');
    await expect.poll(() => board.getAttribute('class')).not.toContain('is-rebuilt');
    await page.getByRole('button', { name: 'Back to the stream' }).click();
    await expect.poll(() => page.getByRole('button', { name: 'Back to the stream' }).count()).toBe(0);
  });

  test('the board by keyboard: arrows move, Enter opens the cell, Escape closes it', async () => {
    const page = await openPaused();
    await page.locator('.cell[tabindex="0"]').focus();
    for (const key of ['ArrowRight', 'ArrowDown', 'ArrowDown', 'ArrowLeft', 'ArrowUp']) await page.keyboard.press(key);
    const focused = (): Promise<string | null> => page.evaluate<string | null>(FOCUSED_CELL);
    expect(await focused()).toBe('9');
    await page.keyboard.press('Control+End');
    expect(await focused()).toBe('80');
    await page.keyboard.press('Control+Home');
    await page.keyboard.press('Enter');
    await page.getByRole('region', { name: 'Cell row 1, column 1' }).waitFor();
    await page.keyboard.press('ArrowRight');
    await page.getByRole('region', { name: 'Cell row 1, column 2' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('region', { name: 'This board' }).waitFor();
    expect(await page.locator('.cell[tabindex="0"]').count()).toBe(1);
    // Focus is visible.
    const outline = await page.evaluate<string>(`getComputedStyle(document.activeElement, '::after').borderTopWidth`);
    expect(outline).toBe('3px');
  });

  test('a cell tells who read it, how sure, the runner-up, why, and what shares the component', async () => {
    const page = await openPaused();
    await page.locator('.cell.by-medium').first().click();
    const inspector = page.locator('.inspector');
    await inspector.getByText('answered').first().waitFor();
    // The reason is asked for on its own and may come later than the cell.
    await inspector.getByText('The router started with').waitFor();
    const text = await inspector.innerText();
    expect(text).toMatch(/read by\s+medium/);
    expect(text).toMatch(/\d %/);
    expect(text).toMatch(/The router started with small: expected error .+ runner-up medium/);
    expect(text).toContain('Other boards with this component');
    await inspector.locator('.related li a').first().click();
    await page.waitForURL(/\/events\/[0-9a-f]{16}$/);
  });

  test('the event page has a permalink with route, calls, proof, sketch and record', async () => {
    const { events } = await json('/api/events?limit=30');
    const { id, ordinal } = events.find((e: { status: string }) => e.status === 'proved');
    const page = await open(`/events/${id}`);
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe(`Board ${ordinal}`);
    await page.getByText('checked independently').waitFor();
    await page.getByRole('button', { name: 'Walk through' }).click();
    await expect.poll(() => page.locator('.cell.is-marked').count()).toBeGreaterThan(0);
    expect(await page.locator('.cell .solved').count()).toBe(1);
    await page.getByRole('button', { name: 'Next' }).click();
    expect(await page.locator('.stepper').innerText()).toMatch(/2 of \d+: /);
    await page.locator('summary', { hasText: '81 × read-digit' }).click();
    await page.getByRole('button', { name: 'row 5, column 5', exact: true }).click();
    await page.getByRole('region', { name: 'Cell row 5, column 5' }).waitFor();
    expect(await page.getByRole('region', { name: 'Record' }).innerText()).toContain(id);
    expect(await page.getByRole('link', { name: 'JSON' }).getAttribute('href')).toBe(`/api/events/${id}`);
    await page.reload();
    await page.getByText('checked independently').waitFor();
  });

  test('back and forward move between pages; an unknown event says so kindly', async () => {
    const page = await openPaused();
    await page.locator('.event-link').nth(1).click();
    await page.waitForURL(/\/events\//);
    await page.getByRole('region', { name: 'Record' }).waitFor();
    await page.goBack();
    await page.getByRole('region', { name: 'Totals' }).waitFor();
    await page.goForward();
    await page.getByRole('region', { name: 'Record' }).waitFor();
    await page.goto(new URL('/events/0123456789abcdef', server.url).href);
    await page.getByRole('heading', { name: 'Nothing is remembered here' }).waitFor();
    // The browser itself reports the 404 of the JSON.
    complaints = complaints.filter((c) => !c.includes('404'));
    await page.getByRole('link', { name: 'To the boards', exact: true }).click();
    await page.getByRole('region', { name: 'Totals' }).waitFor();
  });

  test('your own picture is read and shown; a bad one is refused in plain words', async () => {
    const page = await openPaused();
    const picture = PNG.sync.write(
      Object.assign(new PNG({ width: 90, height: 90 }), { data: Buffer.alloc(90 * 90 * 4, 255) }),
    );
    await page
      .locator('#picture')
      .setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('no picture') });
    await page.getByRole('alert').getByText('Expected').waitFor();
    complaints = complaints.filter((c) => !/4\d\d/.test(c));
    await page.locator('#picture').setInputFiles({ name: 'board.png', mimeType: 'image/png', buffer: picture });
    await page.waitForURL(/\/events\//);
    await page.getByText('your picture').first().waitFor();
  });

  test('forgetting asks first, then the event is gone', async () => {
    const page = await openPaused();
    await page.locator('.event-link').nth(3).click();
    await page.waitForURL(/\/events\//);
    const id = page.url().split('/').at(-1)!;
    await page.getByRole('button', { name: 'Forget …' }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    expect((await fetch(new URL(`/api/events/${id}`, server.url))).status).toBe(200);
    await page.getByRole('button', { name: 'Forget …' }).click();
    await page.getByRole('button', { name: 'Forget it wholly' }).click();
    await page.getByRole('status').getByText('gone').waitFor();
    expect((await fetch(new URL(`/api/events/${id}`, server.url))).status).toBe(404);
    expect(await page.locator(`a[href="/events/${id}"]`).count()).toBe(0);
  });

  test('legible on a phone: nothing wider than the screen, the chosen cell explained below the board', async () => {
    const phone = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };
    const page = await openPaused(phone);
    const fits = (): Promise<boolean> => page.evaluate<boolean>(FITS);
    expect(await fits()).toBe(true);
    await page.locator('.cell.by-small').first().tap();
    const inspector = await page.locator('.inspector').boundingBox();
    const eraser = await page.locator('.eraser').boundingBox();
    expect(inspector!.y).toBeLessThan(eraser!.y);
    expect(await fits()).toBe(true);
    await page.locator('.event-link').first().tap();
    await page.getByRole('region', { name: 'Record' }).waitFor();
    expect(await fits()).toBe(true);
  });

  test('text stands out from its ground, by day and by night', async () => {
    const page = await openPaused();
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      const poor = await page.evaluate<unknown[]>(POOR_CONTRAST);
      expect(poor, colorScheme).toEqual([]);
    }
  });

  test('the layout does not jump while boards arrive and a cell is opened', async () => {
    await fetch(new URL('/api/stream/speed?speed=max', server.url), { method: 'POST' });
    const page = await open();
    await page.evaluate(WATCH_SHIFTS);
    const heading = page.getByRole('heading', { level: 1 });
    const first = await heading.textContent();
    await expect.poll(() => heading.textContent()).not.toBe(first);
    const before = await page.locator('.board').boundingBox();
    await slider(page).fill('256');
    await page.locator('.cell').nth(40).click();
    await page.getByText('really right').waitFor();
    expect(await page.locator('.board').boundingBox()).toEqual(before);
    expect(await page.evaluate<number>('window.shift')).toBeLessThan(0.02);
    await fetch(new URL('/api/stream/speed?speed=4', server.url), { method: 'POST' });
  });

  test('a stream that stops says why, and goes on when asked to', async () => {
    const full = new CairnError('store_full', 'Expected room to write, got a full disk.', { hint: 'Free some space.' });
    const own = await createServer({
      boards: async () => createFixtureBoards({ startAt: 9, failAt: new Map([[1, full]]) }),
      port: 0,
      speed: 4,
    });
    await own.ready;
    context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(own.url);
    await page.getByRole('alert').getByText('got a full disk. Free some space.').waitFor();
    await page.getByText('stopped', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByText('live', { exact: true }).waitFor();
    await context.close();
    context = undefined;
    await own.close();
  });

  test('a lost server is told, and the page finds it again', async () => {
    const own = await createServer({ boards: async () => createFixtureBoards({ startAt: 3 }), port: 0 });
    await own.ready;
    context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(own.url);
    await page.getByText('live', { exact: true }).waitFor();
    await own.close();
    await page.getByText('reconnecting').waitFor();
    const again = await createServer({ boards: async () => createFixtureBoards({ startAt: 3 }), port: own.port });
    await page.getByText('live', { exact: true }).waitFor();
    await context.close();
    context = undefined;
    await again.close();
  });
});
