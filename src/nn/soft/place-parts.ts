// Pictures and sounds go where a written prompt names their marks, or after it.
import { CairnError } from '../../errors.ts';
import type { LanguageModel } from '../lm.ts';
import type { MixedPart } from './mixed-prompt.ts';

/** What is given beside a written prompt, each in the order of its marks. */
export interface GivenParts {
  /** Ink `[image_size * image_size]`, see `toInk`. */
  readonly images?: readonly Float32Array[];
  /** Samples at the model's rate. */
  readonly sounds?: readonly Float32Array[];
}

/**
 * The parts of a prompt. Its marks are the texts of the tokens `image_token_id` and `audio_token_id`; where it has no mark of a kind, what
 * is given of that kind follows the text, pictures first.
 * @throws CairnError `bad_soft` for a kind that the model does not take, and for more or fewer than there are marks
 * @example
 * const prompt = await encodeMixed(model, placeParts(model, 'What is this? <image>', { images: [image] }));
 */
export function placeParts(
  { config, tokenizer }: Pick<LanguageModel, 'config' | 'tokenizer'>,
  text: string,
  { images = [], sounds = [] }: GivenParts,
): MixedPart[] {
  const kinds = [
    { what: 'pictures', key: 'image_token_id', given: images.map((image): MixedPart => ({ image })) },
    { what: 'sounds', key: 'audio_token_id', given: sounds.map((audio): MixedPart => ({ audio })) },
  ] as const;
  let parts: MixedPart[] = [text];
  const after: MixedPart[] = [];
  for (const { what, key, given } of kinds) {
    const id = config[key];
    if (id === undefined) {
      if (given.length === 0) continue;
      throw new CairnError('bad_soft', `Expected no ${what} with a model that takes none, got ${given.length}.`, {
        hint: `Use a model with ${key} in its config.json.`,
      });
    }
    const mark = tokenizer.decode([id]);
    const pieces = parts.map((part) => (typeof part === 'string' && mark !== '' ? part.split(mark) : [part]));
    const marks = pieces.reduce((n, piece) => n + piece.length - 1, 0);
    if (marks === 0) {
      after.push(...given);
      continue;
    }
    if (marks !== given.length) {
      throw new CairnError(
        'bad_soft',
        `Expected ${marks} ${what}, one for each ${mark} in the prompt, got ${given.length}.`,
        { hint: `Write ${mark} once for each, or nowhere: then they follow the text.` },
      );
    }
    const left = [...given];
    parts = pieces.flatMap((piece) => piece.flatMap((part, i) => (i === 0 ? [part] : [left.shift()!, part])));
  }
  return [...parts, ...after].filter((part) => part !== '');
}
