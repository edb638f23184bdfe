// The map of a router that answers requests: all its learned maps as one matrix, multiplied by vector instructions in single precision.
// A decision of some hundred kinds spends most of its time there; this takes a quarter of it.
import { wasm } from '../tensor/index.ts';
import { BaggedMap, mapsOf } from './bagged-map.ts';
import type { FeatureMap } from './kmeans.ts';
import { LearnedMap, softmaxInPlace } from './learned-map.ts';

const { advance, assemble, f32x4, get, hostFor, repeat, set, v128 } = wasm;

/** Kinds that one pass over the input serves: four vectors of four. */
const BLOCK = 16;
const VECTORS = [0, 1, 2, 3] as const;

/** logits(matrix, input, out, blocks, width): for each block of 16 kinds out = sum over d of matrix[block, d, 16] input[d]. */
function logitsFunction(): wasm.WasmFunction {
  const [matrix, input, out, blocks, width, at, left, value, first] = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const;
  return {
    name: 'logits',
    params: 5,
    returns: false,
    locals: { i32: 2, v128: 1 + VECTORS.length },
    code: [
      repeat(
        ...VECTORS.flatMap((v) => [[...get(first + v), ...get(first + v), ...v128.xor, ...set(first + v)]]),
        [...get(input), ...set(at)],
        [...get(width), ...set(left)],
        repeat(
          [...get(at), ...v128.load32Splat(), ...set(value)],
          ...VECTORS.map((v) => [
            ...get(matrix),
            ...v128.load(16 * v),
            ...get(value),
            ...f32x4.mul,
            ...get(first + v),
            ...f32x4.add,
            ...set(first + v),
          ]),
          advance(matrix, 4 * BLOCK),
          advance(at, 4),
          advance(left, -1),
          get(left),
        ),
        ...VECTORS.map((v) => [...get(out), ...get(first + v), ...v128.store(16 * v)]),
        advance(out, 4 * BLOCK),
        advance(blocks, -1),
        get(blocks),
      ),
    ],
  };
}

/** Learned maps side by side; shares are those of `BaggedMap` to some 1e-6. */
class CompiledMap extends BaggedMap {
  readonly #input: Float32Array;
  readonly #logits: Float32Array;
  readonly #run: () => void;

  constructor(maps: readonly LearnedMap[], host: wasm.WasmHost, code: Uint8Array) {
    super(maps);
    const width = this.dim + 1;
    const blocks = Math.ceil(this.k / BLOCK);
    // Bytes: the matrix [blocks, width, 16], the input [width], the logits [blocks, 16].
    const input = 4 * BLOCK * blocks * width;
    const out = input + 4 * BLOCK * Math.ceil(width / BLOCK);
    const memory = new host.Memory({ initial: Math.ceil((out + 4 * BLOCK * blocks) / 65_536) });
    const { exports } = new host.Instance(new host.Module(code), { env: { memory } });
    const { logits } = exports as { logits: (...numbers: number[]) => void };
    const matrix = new Float32Array(memory.buffer, 0, BLOCK * blocks * width);
    let kind = 0;
    for (const { theta, k } of maps) {
      for (let c = 0; c < k; c++, kind++) {
        const from = Math.floor(kind / BLOCK) * BLOCK * width + (kind % BLOCK);
        for (let d = 0; d < width; d++) matrix[from + d * BLOCK] = theta[c * width + d]!;
      }
    }
    this.#input = new Float32Array(memory.buffer, input, width);
    this.#input[this.dim] = 1;
    this.#logits = new Float32Array(memory.buffer, out, this.k);
    this.#run = () => logits(0, input, out, blocks, width);
  }

  override phi(z: ArrayLike<number>, out = new Float64Array(this.k)): Float64Array {
    for (let d = 0; d < this.dim; d++) this.#input[d] = z[d]!;
    this.#run();
    out.set(this.#logits);
    const share = 1 / this.maps.length;
    let from = 0;
    for (const { k } of this.maps) {
      softmaxInPlace(out, from, from + k);
      from += k;
    }
    for (let c = 0; c < out.length; c++) out[c] = share * out[c]!;
    return out;
  }
}

const known = new WeakMap<FeatureMap, FeatureMap>();

/**
 * The map for many single inputs: a compiled one where all its parts are learned maps and there is
 * WebAssembly with vectors, else the map itself. Compiled once.
 */
export function compileMap(map: FeatureMap): FeatureMap {
  let fast = known.get(map);
  if (fast === undefined) {
    const maps = mapsOf(map);
    const learned = maps.every((m) => m instanceof LearnedMap) ? (maps as readonly LearnedMap[]) : undefined;
    const code = assemble([logitsFunction()]);
    const host = hostFor(code);
    fast = learned === undefined || host === undefined ? map : new CompiledMap(learned, host, code);
    known.set(map, fast);
  }
  return fast;
}
