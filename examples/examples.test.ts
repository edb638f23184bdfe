import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';

const here = new URL('.', import.meta.url);
const names = readdirSync(here).filter((f) => f.endsWith('.ts') && !f.endsWith('.test.ts'));

it.each(names)('%s holds what it asserts', async (name) => {
  const { main } = (await import(new URL(name, here).href)) as { main: () => Promise<void> };
  await expect(main()).resolves.toBeUndefined();
});
