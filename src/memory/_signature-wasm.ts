// The kernel of signatures in WebAssembly with vector instructions: 16 items at a time. What each function does is said, and
// checked against, the plain one in _signature-kernel.ts.
import {
  BLOCK,
  COUNT_BITS,
  DISTANCES,
  FIRST_CHUNK,
  FOUND,
  HEAD,
  PLACE_BITS,
  plainKernel,
  QUERY,
  REST,
  RESTS,
  type SignatureKernel,
} from './_signature-kernel.ts';
import { wasm } from '../tensor/index.ts';

const { advance, assemble, get, hostFor, i32, i8x16, lane32, pairwise, repeat, set, v128, when } = wasm;

const PAGE = 65_536;
const HEADS = Array.from({ length: HEAD }, (_, j) => j);

/** measure(chunk, blocks, within): the distance of every head, and how many are at most and less than a bound. */
const measure: wasm.WasmFunction = (() => {
  const [chunk, blocks, within, out, counts, first] = [0, 1, 2, 3, 4, 5];
  const [bound, sums] = [first + HEAD, first + HEAD + 1];
  return {
    name: 'measure',
    params: 3,
    returns: true,
    locals: { i32: 2, v128: HEAD + 2 },
    code: [
      ...HEADS.flatMap((j) => [i32.const(0), v128.load8Splat(QUERY + j), set(first + j)]),
      [...get(within), ...i8x16.splat, ...set(bound)],
      [...get(chunk), ...i32.const(DISTANCES), ...i32.add, ...set(out)],
      repeat(
        ...HEADS.flatMap((j) => [
          get(chunk),
          v128.load(j * BLOCK),
          get(first + j),
          v128.xor,
          i8x16.popcnt,
          j === 0 ? [] : i8x16.add,
        ]),
        set(sums),
        [...get(out), ...get(sums), ...v128.store()],
        [...get(counts), ...get(sums), ...get(bound), ...i8x16.leU, ...i8x16.bitmask, ...i32.popcnt, ...i32.add],
        [...get(sums), ...get(bound), ...i8x16.ltU, ...i8x16.bitmask, ...i32.popcnt],
        [...i32.const(COUNT_BITS), ...i32.shl, ...i32.add, ...set(counts)],
        advance(chunk, BLOCK * HEAD),
        advance(out, BLOCK),
        advance(blocks, -1),
        get(blocks),
      ),
      get(counts),
    ],
  };
})();

/** count(chunk, blocks, within): distances up to a bound. */
const count: wasm.WasmFunction = (() => {
  const [chunk, blocks, within, sum, bound] = [0, 1, 2, 3, 4];
  return {
    name: 'count',
    params: 3,
    returns: true,
    locals: { i32: 1, v128: 1 },
    code: [
      [...get(within), ...i8x16.splat, ...set(bound)],
      repeat(
        get(sum),
        [...get(chunk), ...v128.load(DISTANCES), ...get(bound), ...i8x16.leU],
        [...i8x16.bitmask, ...i32.popcnt, ...i32.add],
        set(sum),
        advance(chunk, BLOCK),
        advance(blocks, -1),
        get(blocks),
      ),
      get(sum),
    ],
  };
})();

/** collect(chunk, blocks, within, cut): places and distances of 256 bits. */
const collect: wasm.WasmFunction = (() => {
  const [chunk, blocks, within, cut] = [0, 1, 2, 3];
  const [block, place, mask, item, rest, distance, out] = [4, 5, 6, 7, 8, 9, 10];
  const [bound, own, sums] = [11, 12, 13];
  return {
    name: 'collect',
    params: 4,
    returns: true,
    locals: { i32: 7, v128: 3 },
    code: [
      [...get(within), ...i8x16.splat, ...set(bound)],
      [...i32.const(0), ...v128.load(QUERY + HEAD), ...set(own)],
      [...get(chunk), ...set(block)],
      repeat(
        [...get(block), ...v128.load(DISTANCES), ...get(bound), ...i8x16.leU, ...i8x16.bitmask, ...set(mask)],
        get(mask),
        when(
          repeat(
            [...get(mask), ...i32.ctz, ...get(place), ...i32.add, ...set(item)],
            [...get(item), ...i32.const(REST), ...i32.mul, ...get(chunk), ...i32.add, ...set(rest)],
            [...get(rest), ...v128.load(RESTS), ...get(own), ...v128.xor, ...i8x16.popcnt],
            [...pairwise.of8, ...pairwise.of16, ...set(sums)],
            [...get(sums), ...lane32(0), ...get(sums), ...lane32(1), ...i32.add],
            [...get(sums), ...lane32(2), ...i32.add, ...get(sums), ...lane32(3), ...i32.add],
            [...get(chunk), ...get(item), ...i32.add, ...i32.load8(DISTANCES), ...i32.add, ...set(distance)],
            [...get(distance), ...get(cut), ...i32.leU],
            when(
              get(out),
              [...get(distance), ...i32.const(PLACE_BITS), ...i32.shl, ...get(item), ...i32.or],
              i32.store(FOUND),
              advance(out, 4),
            ),
            [...get(mask), ...get(mask), ...i32.const(1), ...i32.sub, ...i32.and, ...set(mask)],
            get(mask),
          ),
        ),
        advance(block, BLOCK),
        advance(place, BLOCK),
        advance(blocks, -1),
        get(blocks),
      ),
      [...get(out), ...i32.const(2), ...i32.shrU],
    ],
  };
})();

type Exports = Omit<SignatureKernel, 'bytes' | 'grow'>;

let compiled: object | undefined;

/** The kernel in WebAssembly, or the plain one where there is no WebAssembly with vectors. */
export function signatureKernel(): SignatureKernel {
  const code = assemble([measure, count, collect]);
  const host = hostFor(code);
  if (host === undefined) return plainKernel();
  compiled ??= new host.Module(code);
  const memory = new host.Memory({ initial: Math.ceil(FIRST_CHUNK / PAGE) });
  const instance = new host.Instance(compiled, { env: { memory } });
  const grow = (size: number): void => {
    const missing = Math.ceil((size - memory.buffer.byteLength) / PAGE);
    // What was a view of the memory is empty from now on.
    if (missing > 0) memory.grow(missing);
  };
  let view = new Uint8Array(memory.buffer);
  const bytes = (): Uint8Array => (view.length > 0 ? view : (view = new Uint8Array(memory.buffer)));
  return { ...(instance.exports as Exports), bytes, grow };
}
