// The handwriting of generated boards, drawn again from seed and index: it is never stored. Pictures of users are not kept, so
// nothing can be drawn for them.
import type { Digits } from '../../../data/index.ts';
import type { Provenance } from '../../module.ts';
import { generateBoard, type GeneratedBoard, imagesByDigit, type ImagesByDigit, seedAndIndex } from '../generated.ts';
import { PIXELS } from '../cells.ts';

export class Handwriting {
  readonly #load: () => Digits;
  #test: { digits: Digits; byDigit: ImagesByDigit } | undefined;

  /** @param load MNIST's test images; loaded on first use */
  constructor(load: () => Digits) {
    this.#load = load;
  }

  /** A generated board with its handwriting. */
  board(seed: string | number, index: number): GeneratedBoard {
    const { digits, byDigit } = this.#images();
    return generateBoard(seed, index, digits, byDigit);
  }

  /** The board of an event; undefined for any that was not generated. */
  of(provenance: Provenance): GeneratedBoard | undefined {
    const from = seedAndIndex(provenance);
    return from && this.board(from.seed, from.index);
  }

  /** [784] grey bytes of one image. */
  image(number: number): Uint8Array {
    return this.#images().digits.images.subarray(number * PIXELS, (number + 1) * PIXELS);
  }

  #images(): { digits: Digits; byDigit: ImagesByDigit } {
    if (!this.#test) {
      const digits = this.#load();
      this.#test = { digits, byDigit: imagesByDigit(digits) };
    }
    return this.#test;
  }
}
