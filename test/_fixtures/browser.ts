// A real Chromium for end-to-end tests: the system's, never a downloaded one. Without it the tests are skipped with a printed
// reason, except under CI, where that is a failure.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'microsoft-edge'];
const MAC = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

/** Path of a Chromium on this machine (`CHROMIUM` names one outright). */
export function findChromium(): string | undefined {
  const named = process.env['CHROMIUM'];
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  const candidates = [
    ...(named ? [named] : []),
    ...NAMES.flatMap((name) => folders.map((folder) => join(folder, name))),
    ...MAC,
  ];
  return candidates.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** True when browser tests can run; otherwise says loudly that they do not, or fails under CI. */
export function haveBrowser(suite: string): boolean {
  if (findChromium() !== undefined) return true;
  const reason = `${suite}: SKIPPED, because no Chromium was found. Install one, or set CHROMIUM to its path.`;
  if (process.env['CI'] === 'true') throw new Error(`${reason} (Under CI this is a failure.)`);
  console.warn(`\n*** ${reason}\n`);
  return false;
}

/** Flags of a WebGPU that is computed by the CPU, the same on every machine. */
export const SOFTWARE_WEBGPU = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
];

export async function launchBrowser(more: readonly string[] = ['--disable-gpu']): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === undefined) throw new Error('Expected a Chromium, got none.');
  return chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--headless', '--disable-background-networking', '--disable-component-update', ...more],
  });
}
