// The thread that trains: the same programs, loop and optimiser as in Node, run by ONNX Runtime as WebAssembly or on the GPU.
// Nothing leaves the browser.
import { charTokenizer, randomWindows, type Tokenizer, tokenizerFromFile } from '../../../src/data/index.ts';
import { CairnError } from '../../../src/errors.ts';
import {
  compileTrainStep,
  createLmEvaluator,
  DEFAULT_RECIPE,
  defineLmStep,
  generate,
  type LanguageModel,
  type LmConfig,
  lmConfig,
  lmState,
  lmStepFeeds,
  lmTensors,
  parameterCount,
  parseConfig,
  train,
} from '../../../src/nn/index.ts';
import {
  createOrtWebExecutor,
  ModelState,
  type OrtExecutor,
  readSafetensors,
  Rng,
  writeSafetensors,
} from '../../../src/tensor/index.ts';
import type { FromThread, ModelFiles, ToThread, TrainRequest } from './protocol.ts';

const say = (message: FromThread, transfer: Transferable[] = []): void => postMessage(message, { transfer });

/** The small model that the page trains when nothing else is said. */
const SMALL = {
  hidden_size: 64,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  max_position_embeddings: 64,
} as const;
const RECIPE = { ...DEFAULT_RECIPE, batch: 16, rate: 2e-3, beta2: 0.95, weightDecay: 0.05 };
const EVALUATE_EVERY = 50;
const EVALUATE_WINDOWS = 64;

let model: LanguageModel | undefined;
let stop = new AbortController();

addEventListener('message', ({ data }: MessageEvent<ToThread>) => {
  const work = {
    start: () => start(data as TrainRequest),
    stop: async () => stop.abort(),
    write: () => write((data as { prompt: string }).prompt),
    save: async () => save(),
  }[data.kind];
  work().catch((error: unknown) => {
    const known = CairnError.isInstance(error) ? error : undefined;
    say({
      kind: 'fault',
      message: known?.message ?? String(error),
      ...(known?.hint === undefined ? {} : { hint: known.hint }),
    });
  });
});

async function start(request: TrainRequest): Promise<void> {
  stop = new AbortController();
  const { signal } = stop;
  const began = performance.now();
  const executor = await createExecutor(request.backend);
  try {
    const start = request.from === undefined ? fresh(request) : goOn(request.from);
    const { config, tokenizer, state } = start;
    const cut = Math.floor(request.text.length * 0.9);
    const [head, tail] = [tokenizer.encode(request.text.slice(0, cut)), tokenizer.encode(request.text.slice(cut))];
    const length = config.max_position_embeddings;
    if (head.length <= length + 1 || tail.length < 2) {
      throw new CairnError('short_text', `Expected a text of more than ${2 * length} characters, got less.`, {
        hint: 'Paste a longer text.',
      });
    }
    const settings = { ...RECIPE, eps: 1e-8 };
    const step = defineLmStep(config, { batch: RECIPE.batch, length }, settings);
    state.ensure(step, new Rng(request.seed).fork('weights'));
    model = { config, tokenizer, state, executor, generation: { temperature: 0.8, topP: 0.95 } };
    await using program = await compileTrainStep(executor, step, state, settings);
    await using evaluator = await createLmEvaluator(config, state, executor);
    const windows = randomWindows({
      tokens: head,
      batch: RECIPE.batch,
      length,
      rng: new Rng(request.seed).fork('data'),
    });
    const ready = {
      parameters: parameterCount(step),
      executor: executor.id,
      seconds: (performance.now() - began) / 1000,
    };
    say({ kind: 'ready', ...ready, step: 0 });
    const result = await train({
      program: { ...program, run: (feeds) => inTurn(() => program.run(feeds)) },
      state,
      feeds: (at) => lmStepFeeds(config, RECIPE.batch, windows.at(at)),
      schedule: { kind: 'cosine', peak: RECIPE.rate, warmup: RECIPE.warmup, final: RECIPE.final },
      beta1: RECIPE.beta1,
      beta2: RECIPE.beta2,
      length: { steps: request.steps },
      clock: () => performance.now() / 1000,
      evaluate: () => evaluator.loss(tail, EVALUATE_WINDOWS),
      evaluateEvery: EVALUATE_EVERY,
      signal,
      onProgress: ({ step: at, loss, smoothedLoss, seconds, valid }) =>
        say({
          kind: 'step',
          step: at,
          loss,
          smoothed: smoothedLoss,
          tokensPerSecond: (at * RECIPE.batch * length) / seconds,
          ...(valid === undefined ? {} : { valid }),
        }),
    });
    const valid = await evaluator.loss(tail, EVALUATE_WINDOWS);
    say({ kind: 'end', step: result.position.step, valid, stopped: result.reason === 'aborted' });
  } catch (error) {
    await executor.dispose();
    throw error;
  }
}

async function createExecutor(provider: 'wasm' | 'webgpu'): Promise<OrtExecutor> {
  await model?.executor.dispose();
  model = undefined;
  const ort = provider === 'wasm' ? await import('onnxruntime-web/wasm') : await import('onnxruntime-web/webgpu');
  return createOrtWebExecutor(ort, { provider, wasmPaths: '/ort/' });
}

interface Start {
  readonly config: LmConfig;
  readonly tokenizer: Tokenizer;
  readonly state: ModelState;
}

function fresh({ text, model: keys }: TrainRequest): Start {
  const tokenizer = charTokenizer(text);
  const settings = { ...SMALL, vocab_size: tokenizer.vocabSize, ...keys };
  const config = parseConfig(lmConfig(settings)) as LmConfig;
  return { config, tokenizer, state: new ModelState() };
}

function goOn(files: ModelFiles): Start {
  const json = (name: string): unknown => JSON.parse(new TextDecoder().decode(need(files, name)));
  const config = parseConfig(json('config.json'));
  if (config.model_type !== 'cairn_lm') {
    throw new CairnError('bad_config', `Expected a language model, got \`${config.model_type}\`.`, {
      hint: 'Choose the folder that `cairn train lm` wrote.',
    });
  }
  const { tensors } = readSafetensors(new Uint8Array(need(files, 'model.safetensors')));
  return {
    config: config as LmConfig,
    tokenizer: tokenizerFromFile(json('tokenizer.json')),
    state: lmState(config as LmConfig, tensors),
  };
}

function need(files: ModelFiles, name: string): ArrayBuffer {
  const found = files[name];
  if (found !== undefined) return found;
  throw new CairnError(
    'missing_model',
    `Expected ${name} among the files, got ${Object.keys(files).join(', ') || 'none'}.`,
    {
      hint: 'Choose config.json, model.safetensors and tokenizer.json of one model.',
    },
  );
}

let lane: Promise<unknown> = Promise.resolve();

/** The runtime works on one thing at a time: steps and writing take turns. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const result = lane.then(work);
  lane = result.catch(() => undefined);
  return result;
}

function write(prompt: string): Promise<void> {
  return inTurn(async () => {
    if (model === undefined)
      throw new CairnError('missing_model', 'Expected a model, got none.', { hint: 'Train one first.' });
    const run = generate(model, prompt || '\n', { maxTokens: 240, seed: Date.now() });
    for await (const { text } of run) say({ kind: 'text', text, done: false });
    say({ kind: 'text', text: '', done: true });
  });
}

function save(): Promise<void> {
  return inTurn(async () => {
    if (model === undefined)
      throw new CairnError('missing_model', 'Expected a model, got none.', { hint: 'Train one first.' });
    const { config, state, tokenizer, generation } = model;
    const json = (value: unknown): ArrayBuffer =>
      new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`).buffer;
    const weights = writeSafetensors(lmTensors(config, state), { format: 'cairn' });
    say({
      kind: 'saved',
      files: {
        'config.json': json(config),
        'tokenizer.json': json(tokenizer.toFile()),
        'generation_config.json': json({
          do_sample: true,
          temperature: generation.temperature,
          top_p: generation.topP,
        }),
        'model.safetensors': weights.slice().buffer,
      },
    });
  });
}
