// An event that shares exactly one of four components with the cue: found through its component, hardly ever through the
// signature of the whole. This is why sub-sketches are indexed.
import { LshIndex, Memory, Signer } from 'cairn/memory';
import { encode } from 'cairn/sketch';
import type { Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { part, parts, scene } from './scenes.ts';

const DIM = 512;

export async function components(rng: Rng, seed: number, queries: number, plot: LabOptions['plot']): Promise<Part> {
  await using memory = await Memory.open({ path: ':memory:', seed: `lab:${seed}`, spec: { dim: DIM } });
  const scenes = Array.from({ length: queries }, () => parts(rng));
  const kept = await Promise.all(
    scenes.map((s, i) => memory.remember(scene(s), { task: 'see', provenance: { source: 'lab', ordinal: i }, at: i })),
  );
  const contents = scenes.map((s) => encode(scene(s), memory.spec).content);
  const mean = contents[0]!.map((_, j) => contents.reduce((sum, c) => sum + c[j]!, 0) / contents.length);
  const signer = new Signer(DIM, `lab:${seed}`);
  const indices = [1, 4, 16].map((probes) => ({
    probes,
    index: new LshIndex({ scanBelow: 0, shortKeysBelow: 0, probes }),
    found: 0,
  }));
  for (const { index } of indices) {
    contents.forEach((content, i) => index.add(i, signer.sign(content, mean).bits));
    // Tables are built when 8,192 items wait: the rest is filled with noise.
    for (let i = queries; i < 8400; i++)
      index.add(
        i,
        Uint32Array.from({ length: 8 }, () => rng.u32()),
      );
  }
  let byComponent = 0;
  let path = 0;
  for (let q = 0; q < queries; q++) {
    const place = q % 4;
    const shared = scenes[q]![place]!;
    const cue = scenes[0]!.map((_, i) => (i === place ? shared : part(`thing-${i}`, rng)));
    const [hit] = await memory.component(shared, 1);
    if (hit?.id === kept[q]!.id && hit.overlap === 1) byComponent++;
    const [first] = await memory.recall({ components: [{ object: shared }] }, 1);
    if (first?.id === kept[q]!.id) path++;
    const signed = signer.sign(encode(scene(cue), memory.spec).content, mean);
    for (const entry of indices) if (entry.index.candidates([{ centre: 0, signed }]).includes(q)) entry.found++;
  }
  const whole = indices.map(({ probes, found }) => ({ probes, share: found / queries }));
  const share = byComponent / queries;
  plot('component-recall', {
    title: 'Events found that share exactly one of four components with the cue',
    y: { label: 'share found' },
    columns: {
      labels: [
        'component key',
        'component key and walk',
        ...whole.map(({ probes }) => `whole sketch, ${probes} probes`),
      ],
      series: [{ name: 'found', values: [share, path / queries, ...whole.map((w) => w.share)] }],
    },
  });
  return {
    claims: [
      {
        id: 'component-recall',
        says: 'An event that shares exactly one of four components is always found through it, first of all.',
        kind: 'identity',
        value: share,
        target: `1 over ${queries} events`,
        holds: share === 1 && path === queries,
      },
      {
        id: 'whole-sketch-recall',
        says: 'The signature of the whole sketch finds such an event hardly ever: 8 tables of 16 bits.',
        kind: 'measured',
        value: whole[0]!.share,
        baseline: share,
        target: 'at most 0.1',
        holds: whole[0]!.share <= 0.1,
      },
    ],
    tables: [
      {
        title: 'Events found that share exactly one of four components',
        columns: ['way', 'share found'],
        rows: [
          ['component key', share],
          ['component key, with a walk', path / queries],
          ...whole.map(({ probes, share: s }) => [`whole sketch, ${probes} probes a table`, s]),
        ],
      },
    ],
  };
}
