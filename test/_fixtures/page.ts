import type { Browser, BrowserContextOptions, Page } from 'playwright-core';

export interface OpenOptions extends BrowserContextOptions {
  /** Milliseconds that a look may take. Default 8,000. */
  readonly timeout?: number;
}

/** A page in a context of its own, without motion. What it complains of in its console is told to `complain`. */
export async function openPage(
  browser: Browser,
  url: URL,
  complain: (text: string) => void,
  options: OpenOptions = {},
): Promise<Page> {
  const { timeout = 30_000, ...rest } = options;
  const context = await browser.newContext({
    viewport: { width: 1280, height: 900 },
    reducedMotion: 'reduce',
    ...rest,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(timeout);
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complain(message.text());
  });
  page.on('pageerror', (error) => complain(error.message));
  await page.goto(url.href);
  return page;
}
