import { expect, it } from 'vitest';
import { mayOpenBrowser } from './open-browser.ts';

it('opens a browser only for a person at a terminal who did not say no', () => {
  expect(mayOpenBrowser(true, {}, true)).toBe(true);
  expect(mayOpenBrowser(false, {}, true)).toBe(false);
  expect(mayOpenBrowser(true, { CI: 'true' }, true)).toBe(false);
  expect(mayOpenBrowser(true, { BROWSER: 'none' }, true)).toBe(false);
  expect(mayOpenBrowser(true, { SSH_CONNECTION: 'x' }, true)).toBe(false);
  expect(mayOpenBrowser(true, {}, false)).toBe(false);
});
