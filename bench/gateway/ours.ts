// Our gateway in a process of its own, with a router fitted on a generated pool of 30 models. Usage: ours.ts <upstream URL> <seed>.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fitRouter, generatePool } from 'cairn/route';
import { createServer, Gateway } from 'cairn/serve';

const [upstream, seed = '7'] = process.argv.slice(2) as [string, string?];
const { table } = generatePool({ seed: `bench-${seed}`, prompts: 600, models: 30 });
// The last 100,000 decisions are kept: in a file, as the server does, and not in memory.
const dir = mkdtempSync(join(tmpdir(), 'cairn-bench-'));
process.once('exit', () => rmSync(dir, { recursive: true, force: true }));
const gateway = await Gateway.open({
  statePath: join(dir, 'gateway.db'),
  config: {
    providers: [{ id: 'mock', kind: 'openai', baseUrl: upstream, concurrency: 1_000, queue: 10_000 }],
    models: table.models.map((m, i) => ({
      id: m.id,
      model: `model-${i}`,
      provider: 'mock',
      priceIn: m.price_in_per_mtok,
      priceOut: m.price_out_per_mtok,
    })),
  },
});
gateway.useRouter(fitRouter(table, { seed: Number(seed) }));
const server = await createServer({
  boards: () => Promise.reject(new Error('not needed here')),
  gateway: async () => gateway,
  port: 0,
  studio: false,
});
server.ready.catch(() => undefined);
process.stdout.write(
  `${JSON.stringify({ url: `${server.url}v1`, prompts: table.prompts.slice(0, 64).map((p) => p.text) })}\n`,
);
process.stdin.resume();
process.stdin.on('data', () => {
  const { rss } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  process.stdout.write(`${JSON.stringify({ rssMiB: rss / 2 ** 20, cpuMs: (user + system) / 1000 })}\n`);
});
process.stdin.once('end', () => process.exit(0));
