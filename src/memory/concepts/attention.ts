// Discovery as attention: the local concept around one point, from the points that it attends to, either its nearest ones or
// all of them with softmax weights of the squared cosine. Source: 2310.12143, discovery = attention, storage = dictionary.
import { CairnError } from '../../errors.ts';
import { dot } from './_orthonormal.ts';
import { FEATURE_GRID } from './features.ts';
import { MomentSignature } from './moment-signature.ts';
import { Moments } from './moments.ts';

export type Attention =
  /** The point and this many others with the largest |cosine|. */
  | { readonly neighbours: number }
  /** All points, weighted exp(beta (cosine² - 1)): the softmax of beta cosine² up to its norm. */
  | { readonly beta: number };

/**
 * Moments of the surroundings of a point; points count by direction, not by size.
 *
 * @param features all points, each [k]
 * @param index the point that attends
 */
export function localMoments(features: readonly Float64Array[], index: number, attention: Attention): Moments {
  const centre = features[index];
  if (centre === undefined) {
    throw new CairnError('bad_option', `Expected an index below ${features.length}, got ${index}.`);
  }
  const own = Math.sqrt(dot(centre, centre));
  const sizes = features.map((phi) => Math.sqrt(dot(phi, phi)));
  const cosines = features.map((phi, i) =>
    i === index ? 1 : Math.abs(dot(centre, phi)) / Math.max(1e-300, own * sizes[i]!),
  );
  const moments = new Moments(centre.length);
  const add = (i: number, weight: number): void => {
    if (sizes[i]! > 0 && weight >= FEATURE_GRID)
      moments.add(
        features[i]!.map((v) => v / sizes[i]!),
        weight,
      );
  };
  if ('beta' in attention) {
    cosines.forEach((c, i) => add(i, Math.exp(attention.beta * (c * c - 1))));
  } else {
    const order = cosines.map((_, i) => i).sort((a, b) => cosines[b]! - cosines[a]! || a - b);
    for (const i of order.slice(0, attention.neighbours + 1)) add(i, 1);
  }
  return moments;
}

/** The local signature of a point. With `rank`, the dimension of the row space is not chosen but given. */
export function localSignature(
  features: readonly Float64Array[],
  index: number,
  attention: Attention,
  rank?: number,
): MomentSignature {
  const moments = localMoments(features, index, attention);
  return MomentSignature.of(moments, rank === undefined ? {} : { nullity: moments.size - rank });
}
