import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: { conditions: ['cairn-source', 'node', 'import', 'default'] },
  ssr: { resolve: { conditions: ['cairn-source', 'node', 'import', 'default'] } },
  test: {
    include: [
      'src/**/*.test.ts',
      'test/**/*.test.ts',
      'examples/**/*.test.ts',
      'lab/**/*.test.ts',
      'bench/**/*.test.ts',
    ],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What is waited for may take its time on a busy machine.
    expect: { poll: { timeout: 30_000 } },
  },
});
