// `cairn bench gateway --soak MINUTES`: the soak with the gateway in a process of its own, and what it found as a report.
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchOptions, BenchReport, BenchRow } from '../report.ts';
import { start } from './processes.ts';
import { soak } from './soak.ts';

export async function soakReport({ seed = 7, log, signal }: BenchOptions, seconds: number): Promise<BenchReport> {
  const dir = mkdtempSync(join(tmpdir(), 'cairn-soak-'));
  const children: ChildProcess[] = [];
  try {
    const found = await soak({
      seconds,
      seed,
      configPath: join(dir, 'cairn.json'),
      log,
      signal,
      start: async (configPath) => {
        const { info, child } = await start<{ url: string }>(children, 'soaked.ts', [
          configPath,
          join(dir, 'gateway.db'),
        ]);
        child.once('exit', (code, by) => by === 'SIGKILL' || log(`the gateway ended by itself: ${code ?? by}`));
        return { url: info.url, close: async () => void child.kill('SIGKILL') };
      },
    });
    const { outcomes, ledger, decided, memory, heap } = found;
    const row = (name: string, ours: number, unit: string, note = ''): BenchRow => ({
      case: name,
      ours,
      peer: null,
      peerName: 'none',
      ratio: null,
      unit,
      ...(note === '' ? {} : { note }),
    });
    return {
      name: 'gateway',
      protocol: {
        what: 'requests of four forms under rate limits, resets, cut streams, stalls, HTML, upstreams that vanish and return, clients that leave, configuration that changes',
        seed,
        seconds,
        faults: JSON.stringify(found.faults),
        errors: JSON.stringify(found.errors),
        command: `cairn bench gateway --soak ${seconds / 60} --seed ${seed}`,
      },
      rows: [
        row('lost requests', outcomes.lost, 'requests', found.lost.join('; ')),
        row('answered', outcomes.answered, 'requests'),
        row('refused with an honest error', outcomes.refused, 'requests'),
        row('streams that ended with an honest error', outcomes.broken, 'requests'),
        row('left by the client', outcomes.left, 'requests'),
        row(
          'answers whose tokens are not those of the upstream',
          found.mismatches.length,
          'requests',
          found.mismatches.join('; '),
        ),
        row('ledger minus decisions', ledger.tokens - decided.tokens, 'tokens', `of ${ledger.tokens}`),
        row('ledger minus decisions', ledger.requests - decided.requests, 'requests', `of ${ledger.requests}`),
        row('ledger minus decisions', ledger.usd - decided.usd, 'USD', `of ${ledger.usd}`),
        row('answers that upstreams counted and that did not arrive', found.unseen, 'answers'),
        row('reservations that were left', found.reserved, 'sum'),
        row('configurations taken over', found.reloads, 'reloads', `${found.outages} outages`),
        row(
          'memory in use by JavaScript, last quarter / second',
          heap.late / heap.early,
          'ratio',
          `${heap.early.toFixed(0)} -> ${heap.late.toFixed(0)} MiB`,
        ),
        row(
          'resident memory, last quarter / second',
          memory.late / memory.early,
          'ratio',
          `${memory.early.toFixed(0)} -> ${memory.late.toFixed(0)} MiB`,
        ),
      ],
    };
  } finally {
    for (const child of children) child.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
}
