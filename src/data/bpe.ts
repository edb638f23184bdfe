// Byte-level byte-pair encoding: frequent neighbours become one token, so common words are short and any text still has a
// code. Training is deterministic. Source: Sennrich et al. (2016); byte level and splitting pattern as in GPT-2 (2019).
import { CairnError } from '../errors.ts';
import { byteLevelAlphabet } from './_byte-level.ts';
import { badId, decodeAll, EMPTY, NONE_ADDED, type Tokenizer } from './tokenizer.ts';

/** Merges never cross the pieces of this pattern: words with their leading space, numbers, punctuation, white space. */
const PIECES = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;
const MAX_TOKENS = 65_536;
const encoder = new TextEncoder();
const keyOf = (left: number, right: number): number => left * MAX_TOKENS + right;

/**
 * Learns merges from a text until there are `vocabSize` tokens or no pair occurs twice. Among equally frequent pairs the
 * one with the smaller ids is merged first.
 * @throws CairnError `bad_vocab_size` unless 256 <= vocabSize <= 65,536.
 * @example
 * const t = trainBpe('low lower lowest', 260);
 * t.decode(t.encode('slow ünits')); // 'slow ünits'
 */
export function trainBpe(text: string, vocabSize: number): Tokenizer {
  if (!Number.isInteger(vocabSize) || vocabSize < 256 || vocabSize > MAX_TOKENS) {
    throw new CairnError('bad_vocab_size', `Expected 256 to ${MAX_TOKENS} tokens, got ${vocabSize}.`);
  }
  const seen = new Map<string, number>();
  for (const [piece] of text.matchAll(PIECES)) seen.set(piece, (seen.get(piece) ?? 0) + 1);
  const words = Array.from(seen, ([piece, count]) => ({ ids: Array.from(encoder.encode(piece)), count }));
  const counts = new Map<number, number>();
  const places = new Map<number, Set<number>>();
  const tally = (index: number, sign: 1 | -1): void => {
    const { ids, count } = words[index]!;
    for (let i = 1; i < ids.length; i++) {
      const key = keyOf(ids[i - 1]!, ids[i]!);
      counts.set(key, (counts.get(key) ?? 0) + sign * count);
      if (sign === 1) {
        let set = places.get(key);
        if (!set) places.set(key, (set = new Set()));
        set.add(index);
      }
    }
  };
  words.forEach((_, index) => tally(index, 1));
  const merges: [number, number][] = [];
  while (256 + merges.length < vocabSize) {
    let best = -1;
    let most = 1;
    for (const [key, count] of counts) {
      if (count > most || (count === most && best >= 0 && key < best)) [best, most] = [key, count];
    }
    if (best < 0) break;
    const pair: [number, number] = [Math.floor(best / MAX_TOKENS), best % MAX_TOKENS];
    const made = 256 + merges.length;
    for (const index of places.get(best) ?? []) {
      tally(index, -1);
      words[index]!.ids = joined(words[index]!.ids, pair, made);
      tally(index, 1);
    }
    counts.delete(best);
    places.delete(best);
    merges.push(pair);
  }
  return bpeTokenizer(merges);
}

function joined(ids: readonly number[], [left, right]: readonly [number, number], made: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < ids.length; i++) {
    if (ids[i] === left && ids[i + 1] === right) {
      out.push(made);
      i++;
    } else out.push(ids[i]!);
  }
  return out;
}

/** The tokenizer of given merges; merge i joins two earlier tokens into token 256 + i. */
export function bpeTokenizer(merges: readonly (readonly [number, number])[]): Tokenizer {
  const rank = new Map(merges.map(([left, right], i) => [keyOf(left, right), i]));
  const table: Uint8Array[] = Array.from({ length: 256 }, (_, b) => Uint8Array.of(b));
  for (const [left, right] of merges) table.push(Uint8Array.of(...table[left]!, ...table[right]!));
  const known = new Map<string, Int32Array>();
  const self: Tokenizer = {
    kind: 'bpe',
    vocabSize: table.length,
    added: NONE_ADDED,
    encode(text) {
      const ids: number[] = [];
      for (const [piece] of text.matchAll(PIECES)) {
        let code = known.get(piece);
        if (!code) {
          code = encodePiece(encoder.encode(piece), rank);
          if (known.size < 50_000 && piece.length < 50) known.set(piece, code);
        }
        for (const id of code) ids.push(id);
      }
      return Int32Array.from(ids);
    },
    decode: (ids) => decodeAll(self, ids),
    bytes(id) {
      const found = table[id];
      if (!found) throw badId(id, table.length);
      return found;
    },
    toFile: () => {
      const alphabet = byteLevelAlphabet();
      const names = table.map((bytes) => Array.from(bytes, (b) => alphabet[b]!).join(''));
      const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
      return {
        ...EMPTY,
        pre_tokenizer: byteLevel,
        decoder: byteLevel,
        model: {
          type: 'BPE',
          unk_token: null,
          byte_fallback: false,
          vocab: Object.fromEntries(names.map((n, i) => [n, i])),
          merges: merges.map(([left, right]) => `${names[left]} ${names[right]}`),
        },
      };
    },
  };
  return self;
}

/**
 * Applies merges to one piece, lowest rank first, leftmost among equals. A linked list with a heap of candidates: time
 * n log n, also for a piece of a million letters.
 */
function encodePiece(bytes: Uint8Array, rank: ReadonlyMap<number, number>): Int32Array {
  const n = bytes.length;
  const id = Int32Array.from(bytes);
  const next = Int32Array.from({ length: n }, (_, i) => i + 1);
  const previous = Int32Array.from({ length: n }, (_, i) => i - 1);
  const heap: { rank: number; at: number }[] = [];
  const before = (a: { rank: number; at: number }, b: { rank: number; at: number }): boolean =>
    a.rank < b.rank || (a.rank === b.rank && a.at < b.at);
  const offer = (at: number): void => {
    if (at < 0 || next[at]! >= n) return;
    const r = rank.get(keyOf(id[at]!, id[next[at]!]!));
    if (r === undefined) return;
    let i = heap.push({ rank: r, at }) - 1;
    while (i > 0 && before(heap[i]!, heap[(i - 1) >> 1]!)) {
      const up = (i - 1) >> 1;
      [heap[i], heap[up]] = [heap[up]!, heap[i]!];
      i = up;
    }
  };
  const take = (): { rank: number; at: number } => {
    const top = heap[0]!;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      for (let i = 0; ;) {
        let small = i;
        for (const child of [2 * i + 1, 2 * i + 2]) {
          if (child < heap.length && before(heap[child]!, heap[small]!)) small = child;
        }
        if (small === i) break;
        [heap[i], heap[small]] = [heap[small]!, heap[i]!];
        i = small;
      }
    }
    return top;
  };
  for (let i = 0; i < n; i++) offer(i);
  while (heap.length > 0) {
    const { rank: r, at } = take();
    const other = next[at]!;
    // Stale when a neighbour was merged since: -1 marks a token that was joined to its left.
    if (id[at]! < 0 || other >= n || rank.get(keyOf(id[at]!, id[other]!)) !== r) continue;
    id[at] = 256 + r;
    id[other] = -1;
    next[at] = next[other]!;
    if (next[at]! < n) previous[next[at]!] = at;
    offer(previous[at]!);
    offer(at);
  }
  return id.filter((x) => x >= 0);
}
