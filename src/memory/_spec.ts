// Which specification a memory sketches with: the one it was made with, or for a new one what was asked for.
import { CairnError } from '../errors.ts';
import type { SketchSpec } from '../sketch/index.ts';
import type { Store } from './store.ts';

/** Reads or writes the specification; throws `memory_spec` when they differ and `memory_seed` for a new one without a seed. */
export async function settleSpec(
  store: Store,
  options: { readonly spec?: Partial<SketchSpec>; readonly seed?: string },
): Promise<SketchSpec> {
  const asked: Partial<SketchSpec> = { ...options.spec, ...(options.seed === undefined ? {} : { seed: options.seed }) };
  const bytes = await store.stat('spec');
  if (bytes !== undefined) {
    const found = JSON.parse(new TextDecoder().decode(bytes)) as SketchSpec;
    for (const name of ['dim', 'seed', 'family', 'store', 'signatures'] as const) {
      if (asked[name] === undefined || asked[name] === found[name]) continue;
      const shown = name === 'seed' ? 'another' : `${String(asked[name])}, made with ${String(found[name])}`;
      throw new CairnError('memory_spec', `Expected the ${name} that this memory was made with, got ${shown}.`, {
        hint: 'Leave the specification out to use the stored one, or choose another directory with --data.',
      });
    }
    return found;
  }
  if (asked.seed === undefined) {
    throw new CairnError('memory_seed', 'Expected a seed for a new memory, got none.', {
      hint: 'Pass a seed, such as a random UUID; it is stored with the memory.',
    });
  }
  const spec: SketchSpec = { dim: 1024, family: 'hd3', store: 'i8', signatures: false, ...asked, seed: asked.seed };
  await store.write([{ kind: 'stat', name: 'spec', bytes: new TextEncoder().encode(JSON.stringify(spec)) }]);
  return spec;
}
