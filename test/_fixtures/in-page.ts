// Scripts that run inside the page under test, as text: the tests themselves know no DOM types.

/** Sum of the layout shifts that no input explains, from now on, in `window.shift`. */
export const WATCH_SHIFTS = `
  window.shift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
  }).observe({ type: 'layout-shift' });
`;

/** Number of the focused cell as text, or null. */
export const FOCUSED_CELL = `document.activeElement?.getAttribute('data-cell') ?? null`;

/** True when the page is no wider than the screen. */
export const FITS = `document.documentElement.scrollWidth <= innerWidth`;

/** Inked pixels of the board's canvas. */
export const INKED = `
  document.querySelector('canvas.ink').getContext('2d').getImageData(0, 0, 252, 252).data.filter((v, i) => i % 4 === 3 && v > 128).length
`;

/** Texts whose contrast with their ground is below 4.5 : 1 (WCAG AA). */
export const POOR_CONTRAST = `(() => {
  const probe = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgba = (colour) => {
    probe.clearRect(0, 0, 1, 1);
    probe.fillStyle = colour;
    probe.fillRect(0, 0, 1, 1);
    return [...probe.getImageData(0, 0, 1, 1).data];
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.slice(0, 3).map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const tint = at.querySelector(':scope > .tint');
      for (const layer of tint ? [tint, at] : [at]) {
        const colour = rgba(getComputedStyle(layer).backgroundColor);
        if (colour[3] > 250) return colour;
      }
    }
    return rgba(getComputedStyle(document.documentElement).backgroundColor);
  };
  return [...document.querySelectorAll('body *')]
    .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
    .filter((e) => !e.closest('[disabled], .visually-hidden, .skip, noscript, dialog'))
    .map((e) => {
      const [a, b] = [light(rgba(getComputedStyle(e).color)), light(ground(e))];
      return { text: e.textContent.trim().slice(0, 30), ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) };
    })
    .filter((e) => e.ratio < 4.5);
})()`;
