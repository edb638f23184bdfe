// Decoding of staggered stacks, stack by stack: on one thread one after another, or at the same time, the last one on this thread
// and each other one on a thread of its own. Both run the same programs on the same rows, so their logits agree bit for bit. When a thread dies, decoding goes
// on without threads from the tokens so far.
import { CairnError } from '../../errors.ts';
import type { Decoder } from '../decoder.ts';
import { hasSoft } from '../lm-soft-config.ts';
import { lmInputs } from '../lm-inputs.ts';
import type { LanguageModel } from '../lm.ts';
import { type LmConfig, stackCount } from '../lm-config.ts';
import { createLockstep, createStage, type Lockstep, type Stage, type StageSpec } from '../parallel/index.ts';
import { createStackMemory, type StackMemory, writeRows } from './stack-memory.ts';
import { HEAD, outWidth, PROMPT, stackStage, STEP, takesPrompts } from './stack-programs.ts';

export interface StackDecoderOptions {
  /** All stacks at the same time, a thread for each but the last one, which this thread runs. Default true. */
  readonly parallel?: boolean;
  /**
   * Skips the first stack after the prompt and lets the last one attend to its own earlier outputs: half the work, other
   * logits. Only for two stacks with shared weights; runs on one thread.
   */
  readonly recurrent?: boolean;
}

export interface StackDecoder extends Decoder {
  /** How it decodes now. */
  readonly mode: 'parallel' | 'serial' | 'recurrent';
  /** Why it does not decode in parallel although it was asked to. */
  readonly fallback: CairnError | undefined;
  /** Bytes that stacks carry from token to token; only for decoding without threads. */
  carriedBytes(): number;
}

/** Why stacks cannot be decoded at the same time, or undefined. */
export function whyNotStacked(c: LmConfig): string | undefined {
  if (stackCount(c) < 2) return 'the model has one stack';
  if ((c.stag_stagger ?? 1) === 0) return 'stacks attend to the position they are at (stag_stagger 0)';
  if ((c.altup_sequence_stride ?? 1) > 1) return 'layers run on every k-th position only (altup_sequence_stride)';
  if (hasSoft(c)) return 'pictures or sounds stand in the text';
  return undefined;
}

/**
 * A decoder of a model stack by stack, on ONNX Runtime whatever the model's executor, at most a thread a stack. It copies
 * the weights into its programs: twice for each stack that takes a prompt in one piece. A plain model has one stack.
 * @throws CairnError `not_stacked` for other models
 * @example
 * await using decoder = await createStackDecoder(model);
 * const logits = await decoder.feed([...model.tokenizer.encode('To be')]); // [vocab]
 */
export async function createStackDecoder(
  model: LanguageModel,
  options: StackDecoderOptions = {},
): Promise<StackDecoder> {
  const { config, state } = model;
  const { parallel = true, recurrent = false } = options;
  const reason =
    (stackCount(config) > 1 ? whyNotStacked(config) : undefined) ?? (recurrent ? whyNotRecurrent(config) : undefined);
  if (reason !== undefined) {
    throw new CairnError('not_stacked', `Expected a model that decodes stack by stack, got one where ${reason}.`, {
      hint: 'Use createDecoder.',
    });
  }
  const stacks = stackCount(config);
  const context = config.max_position_embeddings;
  const memory = createStackMemory(config, stacks, outWidth(config));
  const specs = Array.from({ length: stacks }, (_, s) => stackStage(config, state, memory, s, recurrent));
  let fallback: CairnError | undefined;
  let runner: Runner;
  try {
    runner = await (parallel && !recurrent && stacks > 1 ? parallelRunner(specs, memory) : serialRunner(specs, memory));
  } catch (error) {
    if (!CairnError.isInstance(error) || error.code !== 'worker_died') throw error;
    fallback = error;
    runner = await serialRunner(specs, memory);
  }
  let tokens: number[] = [];
  /** Numbers of tokens fed at once, to feed them again in the same pieces. */
  let pieces: number[] = [];

  /** Runs tokens that lie in memory from `position` on. */
  async function runPiece(position: number, length: number): Promise<void> {
    const whole = length > 1 && position === 0 && takesPrompts(config);
    if (whole) {
      for (let s = 0; s < stacks; s++) await runner.run([s], PROMPT, 0, length);
    } else {
      const all = recurrent && position > 0 ? [stacks - 1] : Array.from({ length: stacks }, (_, s) => s);
      for (let i = 0; i < length; i++) await runner.run(all, STEP, position + i, 1);
    }
    if (config.stag_combine === true) await runner.run([stacks - 1], HEAD, position + length - 1, 1);
  }

  async function feedPiece(ids: readonly number[]): Promise<void> {
    const position = tokens.length;
    writeRows(memory, memory.ids, position, ids);
    for (const { name, values } of lmInputs(config)) {
      writeRows(memory, memory.inputs.get(name)!, position, values(Int32Array.from(ids), tokens));
    }
    tokens.push(...ids);
    pieces.push(ids.length);
    try {
      await runPiece(position, ids.length);
    } catch (error) {
      if (!CairnError.isInstance(error) || error.code !== 'worker_died') throw error;
      fallback = error;
      await runner.dispose();
      runner = await serialRunner(specs, memory);
      let at = 0;
      for (const length of pieces) {
        await runPiece(at, length);
        at += length;
      }
    }
  }

  const self: StackDecoder = {
    get length() {
      return tokens.length;
    },
    get mode() {
      return recurrent ? 'recurrent' : runner.mode;
    },
    get fallback() {
      return fallback;
    },
    carriedBytes: () => runner.bytes(),
    async feed(ids) {
      if (ids.length === 0) throw new CairnError('empty_prompt', 'Expected at least one token, got none.');
      const bad = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= config.vocab_size);
      if (bad !== undefined) {
        throw new CairnError('bad_token', `Expected token ids from 0 to ${config.vocab_size - 1}, got ${bad}.`);
      }
      let pending = [...ids];
      if (tokens.length + pending.length > context) {
        const half = Math.max(1, Math.floor(context / 2));
        pending = [...tokens, ...pending].slice(-Math.max(half, Math.min(pending.length, context)));
        self.reset();
      }
      await feedPiece(pending);
      return new Float32Array(memory.block, memory.logits.offset, config.vocab_size).slice();
    },
    reset() {
      tokens = [];
      pieces = [];
    },
    dispose: () => runner.dispose(),
    [Symbol.asyncDispose]: () => self.dispose(),
  };
  return self;
}

function whyNotRecurrent(c: LmConfig): string | undefined {
  return stackCount(c) === 2 && c.stag_shared === true ? undefined : 'there are not two stacks with shared weights';
}

interface Runner {
  readonly mode: 'parallel' | 'serial';
  run(stacks: readonly number[], program: number, position: number, length: number): Promise<void>;
  bytes(): number;
  dispose(): Promise<void>;
}

/** The last stack on the caller's thread, which would only wait, and each of the others on one of its own. */
async function parallelRunner(specs: readonly StageSpec[], memory: StackMemory): Promise<Runner> {
  const last = specs.length - 1;
  const pool: Lockstep = await createLockstep(specs.slice(0, last), memory.block);
  const own = await openStage(specs[last]!, memory);
  return {
    mode: 'parallel',
    async run(stacks, program, position, length) {
      const workers = stacks.filter((s) => s !== last);
      const work = { program, position, length, workers };
      if (workers.length === stacks.length) return pool.round(work);
      const meet = workers.length > 0 ? pool.begin(work) : async (): Promise<void> => undefined;
      try {
        await own.run(program, position, length);
      } finally {
        await meet();
      }
    },
    bytes: () => 0,
    async dispose() {
      await pool.dispose();
      await own.dispose();
    },
  };
}

async function openStage(spec: StageSpec, memory: StackMemory): Promise<Stage> {
  const module = await import('onnxruntime-node');
  return createStage('default' in module ? (module.default as typeof module) : module, spec, memory.block);
}

async function serialRunner(specs: readonly StageSpec[], memory: StackMemory): Promise<Runner> {
  const stages: Stage[] = [];
  for (const spec of specs) stages.push(await openStage(spec, memory));
  return {
    mode: 'serial',
    async run(stacks, program, position, length) {
      // The last stack first: like on threads, a stack reads what the one before made of earlier positions.
      for (const s of stacks.toReversed()) await stages[s]!.run(program, position, length);
    },
    bytes: () => stages.reduce((n, s) => n + s.bytes(), 0),
    async dispose() {
      for (const stage of stages) await stage.dispose();
    },
  };
}
