// A decode case: the model of a case, exported as everybody gets it (`decoder.onnx`), for engines that run one token after the
// other with a cache.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeProgram, type LmConfig, lmProgram } from 'cairn/nn';
import { exportOnnx, ModelState, Rng } from 'cairn/tensor';

/** Tokens after a prompt of one; a unit of work is all of them. */
export const TOKENS = 128;
export const PROMPT = 1;

/** Random weights of unit gain, so that the tokens that follow each other are not all the same. */
export function decodeState(config: LmConfig, seed: number): ModelState {
  const rng = new Rng(seed).fork('decode');
  const state = ModelState.init(lmProgram(config, { batch: 1, length: 1 }), rng.fork('weights'));
  for (const name of state.names().filter((n) => n.endsWith('.weight'))) {
    const t = state.get(name);
    const noise = rng.fork(name);
    const scale = 1 / Math.sqrt(t.shape[0]!);
    state.set(name, { ...t, data: t.data.map((x) => x + scale * noise.normal()) });
  }
  return state;
}

/** Writes `config.json`, the seed, and `decoder.onnx`. */
export function writeDecodeWorkload(dir: string, config: LmConfig, seed: number): void {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'decode.json'), JSON.stringify({ config, seed }));
  writeFileSync(join(dir, 'decoder.onnx'), exportOnnx(decodeProgram(config, 1), decodeState(config, seed)));
}

/** Reads what `writeDecodeWorkload` wrote. */
export function readDecodeWorkload(dir: string): {
  readonly config: LmConfig;
  readonly seed: number;
  readonly onnx: string;
} {
  const { config, seed } = JSON.parse(readFileSync(join(dir, 'decode.json'), 'utf8')) as {
    config: LmConfig;
    seed: number;
  };
  return { config, seed, onnx: join(dir, 'decoder.onnx') };
}
