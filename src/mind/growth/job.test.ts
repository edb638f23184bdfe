import { describe, expect, it } from 'vitest';
import { type CircuitFigures, type CircuitTask, run } from './_circuit-job.ts';
import { beside, runJob } from './_job.ts';

const task: CircuitTask = {
  streams: Array.from({ length: 30 }, (_, i) => [...'abcabc', `${i % 3}`]),
  heldOut: [[...'abcx']],
  seed: 'job',
};
const module = beside('./_circuit-job.ts', import.meta.url);

describe('a job in a process of its own', () => {
  it('gives what it gives here', async () => {
    const there = await runJob<CircuitTask, CircuitFigures>(module, task);
    expect(there).toEqual(run(task));
    expect(there.nodeCount).toBeGreaterThan(0);
    expect(there.heldOut.bitsAfter).toBeLessThan(there.heldOut.bitsBefore);
  });

  it('tells what went wrong in its own words, and ends at an abort', async () => {
    const bad = { ...task, streams: [[1.5 as unknown as string]] };
    await expect(runJob(module, bad)).rejects.toThrow('Expected texts or integers as symbols');
    const stop = new AbortController();
    const running = runJob(module, task, { signal: stop.signal });
    stop.abort();
    await expect(running).rejects.toThrow('Expected to finish, got an abort signal.');
    await expect(runJob(module, task, { signal: stop.signal })).rejects.toThrow('abort');
  });
});
