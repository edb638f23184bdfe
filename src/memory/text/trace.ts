// A turn as a trace that can be sketched: the turn in its context, below it its sentences, its speaker and its entities as
// components, so that what two turns share is found by exact keys.
import type { Obj } from '../../sketch/index.ts';
import { inContext, nameVector, narrowed, normalised, type Rarity, split, textVector } from './attributes.ts';
import { findEntities, type TextEntity } from './entities.ts';
import { terms } from './tokens.ts';

/** A vector from a model of the user's choice, one more block of attributes; nothing depends on it. */
export interface TextEmbedder {
  /** Names the model; vectors of different ones are never compared. */
  readonly id: string;
  /** One vector per text, all of one length. */
  embed(texts: readonly string[]): Promise<readonly Float32Array[]>;
}

export const TURN_MODULE = 'text/turn';
const MOST_SENTENCES = 8;

export interface TraceParts {
  readonly own: Float64Array;
  readonly previous: Float64Array | undefined;
  readonly next: Float64Array | undefined;
  /** Texts of the sentences. */
  readonly sentences: readonly string[];
  readonly entities: readonly TextEntity[];
  readonly embedding?: { readonly id: string; readonly vector: Float32Array } | undefined;
}

/**
 * The trace of one turn. A single sentence is the turn itself and no component.
 * @param dim numbers of the sketch: an object has at most as many attributes
 */
export function traceOf(parts: TraceParts, rarity: Rarity, dim: number): Obj {
  const sentences = parts.sentences.length < 2 ? [] : parts.sentences.slice(0, MOST_SENTENCES);
  const blocks: { readonly share: number; readonly objects: readonly Obj[] }[] = [
    {
      share: 2,
      objects: sentences.map((text) => ({
        module: 'text/sentence',
        attributes: narrowed(normalised(textVector(terms(text), rarity)), dim),
      })),
    },
    { share: 2, objects: parts.entities.map(entityObject) },
    {
      share: 1,
      objects:
        parts.embedding === undefined
          ? []
          : [
              {
                module: `text/embedding/${parts.embedding.id}`.slice(0, 255),
                attributes: normalised(split(parts.embedding.vector, dim)),
              },
            ],
    },
  ];
  const used = blocks.filter(({ objects }) => objects.length > 0);
  const total = used.reduce((sum, { share }) => sum + share, 0);
  const inputs = used.flatMap(({ share, objects }) =>
    objects.map((object) => ({ object, weight: share / total / objects.length })),
  );
  return {
    module: TURN_MODULE,
    attributes: narrowed(inContext(parts.own, parts.previous, parts.next), dim),
    ...(inputs.length === 0 ? {} : { inputs, bag: true }),
  };
}

/** An entity as a component. Speakers and names are one kind: who speaks is found when he is named. */
export function entityObject({ kind, name }: TextEntity): Obj {
  return { module: `text/${kind === 'speaker' ? 'name' : kind}`, attributes: nameVector(name) };
}

/** The trace of a question: the same blocks, without context. */
export function traceOfQuestion(text: string, rarity: Rarity, dim: number, embedding?: TraceParts['embedding']): Obj {
  return traceOf(
    {
      own: textVector(terms(text), rarity),
      previous: undefined,
      next: undefined,
      sentences: [],
      entities: findEntities(text),
      embedding,
    },
    rarity,
    dim,
  );
}
