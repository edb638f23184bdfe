// From the first 48 bits of an id to the references that have them: open addressing in typed arrays, 12 bytes a place. Ids
// are hashes, so their own low bits are the place to look.

const EMPTY = 0;
const GONE = -1;

export class IdTable {
  #prefixes = new Float64Array(64);
  #refs = new Int32Array(64);
  #used = 0; // places that are not empty

  /** Makes room for so many entries at once. */
  reserve(count: number): void {
    if (count * 2 > this.#refs.length) this.#rebuild(count);
  }

  /** @param ref at least 1 */
  add(prefix: number, ref: number): void {
    if ((this.#used + 1) * 2 > this.#refs.length) this.#rebuild(this.#used + 1);
    const mask = this.#refs.length - 1;
    let at = (prefix >>> 0) & mask;
    while (this.#refs[at] !== EMPTY) at = (at + 1) & mask;
    this.#prefixes[at] = prefix;
    this.#refs[at] = ref;
    this.#used++;
  }

  /** References with a prefix, in the order they were added. */
  get(prefix: number): number[] {
    const mask = this.#refs.length - 1;
    const found: number[] = [];
    for (let at = (prefix >>> 0) & mask; this.#refs[at] !== EMPTY; at = (at + 1) & mask) {
      if (this.#refs[at] !== GONE && this.#prefixes[at] === prefix) found.push(this.#refs[at]!);
    }
    return found;
  }

  remove(prefix: number, ref: number): void {
    const mask = this.#refs.length - 1;
    for (let at = (prefix >>> 0) & mask; this.#refs[at] !== EMPTY; at = (at + 1) & mask) {
      if (this.#refs[at] !== ref || this.#prefixes[at] !== prefix) continue;
      this.#refs[at] = GONE;
      return;
    }
  }

  #rebuild(count: number): void {
    const [prefixes, refs] = [this.#prefixes, this.#refs];
    const size = 2 ** Math.ceil(Math.log2(Math.max(64, count * 3)));
    this.#prefixes = new Float64Array(size);
    this.#refs = new Int32Array(size);
    this.#used = 0;
    for (let i = 0; i < refs.length; i++) if (refs[i]! > 0) this.add(prefixes[i]!, refs[i]!);
  }
}
