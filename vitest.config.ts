import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Real processes, ports and two cores: files in parallel, but no more than the machine has.
    maxWorkers: 2,
  },
});
