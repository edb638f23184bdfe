// Puts the vectors of pictures and sounds where their tokens stand.
import { CairnError } from '../../errors.ts';
import type { HostTensor } from '../../tensor/index.ts';
import { SOFT_INPUT } from '../lm-inputs.ts';
import type { LmConfig } from '../lm-config.ts';
import { hasSoft, markersOf, softWidth } from '../lm-soft-config.ts';

/** How many places for vectors there are among ids. */
export function placesIn(config: LmConfig, ids: ArrayLike<number>): number {
  const markers = markersOf(config);
  let count = 0;
  for (let t = 0; t < ids.length; t++) if (markers.includes(ids[t]!)) count++;
  return count;
}

/**
 * The input `soft [1, length, softWidth]` of one row of ids; nothing for a model of text alone.
 * @param soft a vector for each place, in order, `[places, softWidth]`
 * @throws CairnError `bad_soft` when there are more or fewer vectors than places
 */
export function softFeeds(config: LmConfig, ids: ArrayLike<number>, soft?: Float32Array): Record<string, HostTensor> {
  const width = softWidth(config);
  const wanted = placesIn(config, ids);
  const given = (soft?.length ?? 0) / width;
  if (wanted !== given) {
    throw new CairnError(
      'bad_soft',
      `Expected vectors for ${wanted} places of pictures and sounds in the text, got ${given}.`,
      { hint: 'Make the prompt with `encodeMixed`.' },
    );
  }
  if (!hasSoft(config)) return {};
  const markers = markersOf(config);
  const data = new Float32Array(ids.length * width);
  const places = Array.from({ length: ids.length }, (_, t) => t).filter((t) => markers.includes(ids[t]!));
  places.forEach((t, i) => data.set(soft!.subarray(i * width, (i + 1) * width), t * width));
  return { [SOFT_INPUT]: { data, shape: [1, ids.length, width], dtype: 'f32' } };
}
