// The other side of _job.ts: takes one request, runs it, answers, and ends. It also ends when its parent does.
import { CairnError } from '../../errors.ts';
import type { Job, JobMessage, JobRequest } from './_job.ts';

function tell(message: JobMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) return resolve();
    process.send(message, undefined, {}, () => resolve());
  });
}

async function answer({ module, input }: JobRequest): Promise<void> {
  try {
    const { run } = (await import(module)) as { run: Job<unknown, unknown> };
    const output = await run(input, (says) => void tell({ kind: 'progress', says }));
    await tell({ kind: 'done', output });
    process.exit(0);
  } catch (error) {
    const known = CairnError.isInstance(error);
    await tell({
      kind: 'failed',
      code: known ? error.code : 'job_failed',
      message: error instanceof Error ? error.message : String(error),
      ...(known && error.hint !== undefined ? { hint: error.hint } : {}),
    });
    process.exit(1);
  }
}

process.on('disconnect', () => process.exit(1));
process.once('message', (request) => void answer(request as JobRequest));
