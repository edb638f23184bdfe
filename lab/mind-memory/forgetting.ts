// Forgetting: the bytes of forgotten events are looked for in every file, and the rest is compared, line by line, with a
// memory that never knew them.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InMemoryStore, Memory } from 'cairn/memory';
import { toBytes } from 'cairn/sketch';
import type { Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { part, scene } from './scenes.ts';

const spec = { dim: 512 } as const;

interface Script {
  readonly root: ReturnType<typeof scene>;
  readonly secret: string;
  readonly terms: { readonly keys: Float64Array; readonly counts: Uint32Array; readonly length: number };
}

export async function forgetting(rng: Rng, seed: number, events: number, plot: LabOptions['plot']): Promise<Part> {
  const vocabulary = Array.from({ length: 12 }, (_, i) => part(`thing-${i % 4}`, rng));
  const scripts = Array.from({ length: events }, (_, i): Script => ({
    root: scene([vocabulary[i % 12]!, vocabulary[(5 * i + 1) % 12]!, part('own', rng)]),
    secret: `secret-${i}-${rng.u32().toString(36)}`,
    terms: { keys: Float64Array.of(i % 9, 100 + i), counts: Uint32Array.of(1, 2), length: 5 },
  }));
  const gone = new Set(scripts.map((_, i) => i).filter((i) => i % 7 === 3));
  const directory = mkdtempSync(join(tmpdir(), 'cairn-lab-'));
  try {
    const path = join(directory, 'memory.db');
    const memory = await Memory.open({ path, seed: `lab:${seed}`, spec });
    const ids = await fill(memory, scripts, new Set());
    const probes = new Map<string, Uint8Array>();
    for (const i of gone) {
      probes.set(`${i} text`, Buffer.from(scripts[i]!.secret));
      probes.set(`${i} id`, Buffer.from(ids[i]!, 'hex'));
      const bytes = toBytes((await memory.get(ids[i]!))!.sketch);
      for (let o = 44; o + 16 <= bytes.length; o += 16) probes.set(`${i} sketch ${o}`, bytes.slice(o, o + 16));
    }
    const before = foundIn(directory, probes);
    await memory.forgetAll([...gone].map((i) => ids[i]!));
    const after = foundIn(directory, probes);
    const lines = await content(memory);
    await memory.close();
    const closed = foundIn(directory, probes);
    const control = await Memory.open({ store: new InMemoryStore(), seed: `lab:${seed}`, spec });
    await fill(control, scripts, gone);
    const expected = await content(control);
    await control.close();
    const different =
      lines.filter((line) => !expected.includes(line)).length + Math.abs(lines.length - expected.length);
    plot('forgetting', {
      title: `Traces of ${gone.size} events in the files of a memory`,
      y: { label: 'traces found' },
      columns: {
        labels: ['before', 'after forgetting', 'after closing'],
        series: [{ name: 'of ids, texts and pieces of sketches', values: [before, after, closed] }],
      },
    });
    return {
      claims: [
        {
          id: 'delete-leaves-no-byte',
          says: 'No id, no text and no 16 bytes of a sketch of a forgotten event are in any file any more.',
          kind: 'identity',
          value: after + closed,
          baseline: before,
          target: `0 of ${probes.size} traces, all of which were there before`,
          holds: after === 0 && closed === 0 && before === probes.size,
        },
        {
          id: 'as-if-never-inserted',
          says: 'Events, keys, words, edges and sources are, line by line, those of a memory that never knew the events.',
          kind: 'identity',
          value: different,
          target: `0 of ${expected.length} lines differ`,
          holds: different === 0,
        },
      ],
      tables: [
        {
          title: 'Traces of forgotten events in the files',
          columns: ['when', 'traces'],
          rows: [
            ['before', before],
            ['after forgetting', after],
            ['after closing', closed],
          ],
        },
      ],
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Remembers all but some; each event follows the one before it where that one is kept. */
async function fill(memory: Memory, scripts: readonly Script[], skip: ReadonlySet<number>): Promise<string[]> {
  const ids: string[] = [];
  for (const [i, { root, secret, terms }] of scripts.entries()) {
    if (skip.has(i)) continue;
    const links =
      i === 0 || skip.has(i - 1) ? [] : [{ kind: 'previous', to: memory.nodeOf(scripts[i - 1]!.root) } as const];
    const provenance = { source: 'lab', ordinal: i };
    const kept = await memory.remember(root, { task: 'see', provenance, at: 1000 * i, meta: secret, terms, links });
    ids[i] = kept.id;
  }
  return ids;
}

function foundIn(directory: string, probes: ReadonlyMap<string, Uint8Array>): number {
  const files = readdirSync(directory).map((name) => readFileSync(join(directory, name)));
  return [...probes.values()].filter((probe) => files.some((file) => file.includes(Buffer.from(probe)))).length;
}

/** The dump without statistics, and without signatures: those depend on the means at the time of recording. */
async function content(memory: Memory): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of memory.store.dump()) {
    if (!line.startsWith('{"stat"')) lines.push(line.replace(/"signature":"[0-9a-f]*"/, ''));
  }
  return lines;
}
