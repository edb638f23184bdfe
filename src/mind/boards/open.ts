// Puts the board engine together: a mind with readers, solvers and checkers, its router, and the desk in front. The one
// place of this folder that reads model files and loads a network runtime.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CairnError } from '../../errors.ts';
import { loadMnist, type Digits } from '../../data/index.ts';
import { heldOutRows, loadClassifier } from '../../nn/index.ts';
import { PathRouter, type RouterState } from '../../route/index.ts';
import { createOrtExecutor, type Executor } from '../../tensor/index.ts';
import type { CalibrateOptions, Calibration, Judge } from '../calibrate.ts';
import type { Distiller, Seeds } from '../growth/index.ts';
import { Mind, type MindOptions } from '../mind.ts';
import { digitEncoder, PIXELS, type DigitInput, type DigitReading } from './cells.ts';
import { cutPicture } from './cut.ts';
import { Desk } from './desk.ts';
import { digitDistiller, type DigitDistillerOptions } from './growth/digit-distiller.ts';
import { Handwriting } from './growth/handwriting.ts';
import { boardSeeds } from './growth/seeds.ts';
import { addBoardModules, type SizedReader } from './modules.ts';

export interface OpenBoardsOptions extends MindOptions {
  /** Folder with `read-digit-small`, `-medium`, `-large` and `read-digit-router`. Default: that of the package. */
  readonly models?: string;
  /** Runs the networks; made (and closed) here when left out. */
  readonly executor?: Executor;
  /** Readers instead of the models in the folder, smallest first; the last one is the most accurate. */
  readonly readers?: readonly SizedReader[];
  /** A router for these readers; default: the one of the folder, else one fitted here. False: cheapest first. */
  readonly router?: PathRouter | false;
  /** Largest accepted probability that a proved board is not what was written. Default 1e-3. */
  readonly delta?: number;
  /** Teach the router from proved boards. Default true. */
  readonly learn?: boolean;
  /** How thoroughly a grown reader is trained; see `digitDistiller`. */
  readonly growth?: Pick<DigitDistillerOptions, 'minExamples' | 'copies' | 'epochs'>;
  /** Told when something slow begins, such as fitting a router. */
  readonly onProgress?: (text: string) => void;
}

/** Sizes of the readers, smallest first. */
export const READER_SIZES = ['small', 'medium', 'large'] as const;
/** How much more error than the largest reader the router may make on the held-out images. */
const MAX_LOSS = 0.0005;

/**
 * @throws CairnError `missing_model`, and what `Mind.open` throws
 * @example
 * const boards = await openBoards({ dataDir: '.cairn' });
 * const board = await boards.stream().next();
 * await boards.close();
 */
export async function openBoards(options: OpenBoardsOptions): Promise<Desk> {
  const models = options.models ?? defaultModels();
  const executor = options.readers ? undefined : (options.executor ?? (await createOrtExecutor()));
  const own = options.executor ? undefined : executor;
  try {
    const readers = options.readers ?? (await loadReaders(models, executor!));
    const mind = await Mind.open(options);
    try {
      const handwriting = new Handwriting(() => loadMnist('test'));
      const distiller = executor && digitDistillerOf(models, executor, handwriting, options.growth);
      await furnish(mind, readers, models, options, boardSeeds(distiller));
      return await Desk.open({
        mind,
        handwriting,
        cut: cutPicture,
        seed: options.seed ?? 'cairn',
        timer: options.timer ?? (() => performance.now()),
        ...(options.learn === undefined ? {} : { learn: options.learn }),
        ...(own ? { onClose: () => own.dispose() } : {}),
      });
    } catch (error) {
      await mind.close();
      throw error;
    }
  } catch (error) {
    await own?.dispose();
    throw error;
  }
}

/** The three readers of a folder, smallest first. */
export async function loadReaders(models: string, executor: Executor): Promise<SizedReader[]> {
  const load = async (size: string): Promise<SizedReader> => ({
    size,
    classifier: await loadClassifier(join(models, `read-digit-${size}`), executor),
  });
  return Promise.all(READER_SIZES.map(load));
}

/** Grows readers that are taught by the largest of a folder. */
function digitDistillerOf(
  models: string,
  executor: Executor,
  handwriting: Handwriting,
  growth: OpenBoardsOptions['growth'],
): Distiller {
  return digitDistiller({
    ...growth,
    handwriting,
    executor: async () => executor,
    teacher: join(models, 'read-digit-large'),
    calibration: async () => {
      const { inputs, judge, options } = await calibrationSet(models);
      return {
        inputs,
        judge: judge as Judge<unknown, unknown>,
        options: options as CalibrateOptions<unknown>,
      };
    },
  });
}

/** Adds modules, checkers, what grew before and the router of the board tasks to a mind. */
async function furnish(
  mind: Mind,
  readers: readonly SizedReader[],
  models: string,
  options: OpenBoardsOptions,
  seeds: Seeds,
): Promise<void> {
  addBoardModules(mind, readers, options.delta === undefined ? {} : { delta: options.delta });
  await mind.plant(seeds, (fault) => options.onProgress?.(fault.toText()));
  if (options.router === false) return;
  if (options.readers || options.router) {
    mind.useRouter('read-digit', digitEncoder, options.router ? { router: options.router } : {});
    return;
  }
  const note = await fingerprint(models);
  const shipped = await shippedRouter(models);
  if (mind.useRouter('read-digit', digitEncoder, shipped ? { router: shipped, note } : { note })) return;
  options.onProgress?.('fitting the router of the digit readers');
  await calibrateReaders(mind, models);
}

/**
 * Fits the router of `read-digit` on the training images that the readers were not trained on.
 * @throws CairnError `missing_model` when the readers' training records are not there
 */
export async function calibrateReaders(mind: Mind, models: string, signal?: AbortSignal): Promise<Calibration> {
  const { inputs, judge, options } = await calibrationSet(models);
  return mind.calibrate('read-digit', inputs, judge, { ...options, ...(signal ? { signal } : {}) });
}

/** The training images that no reader was trained on, how they are judged, and what the router is fitted to. */
async function calibrationSet(models: string): Promise<{
  readonly inputs: readonly DigitInput[];
  readonly judge: Judge<DigitInput, DigitReading>;
  readonly options: CalibrateOptions<DigitInput>;
}> {
  const train = loadMnist('train');
  const rows = heldOutRows(await trainingSeed(models), train.count);
  return {
    inputs: toInputs(train, rows),
    judge: (_, output, i) => (output.digit === train.labels[rows[i]!] ? 1 : 0),
    options: { encoder: digitEncoder, maxLoss: MAX_LOSS, note: await fingerprint(models) },
  };
}

/** Images of some rows as inputs of `read-digit`, read among 0-9. */
export function toInputs(digits: Digits, rows: ArrayLike<number>): DigitInput[] {
  return Array.from({ length: rows.length }, (_, i) => {
    const from = rows[i]! * PIXELS;
    return { pixels: Float32Array.from(digits.images.subarray(from, from + PIXELS), (v) => v / 255), among: '0-9' };
  });
}

/** Where the package keeps its models. */
export function defaultModels(): string {
  for (const up of ['../../../models', '../../../../models']) {
    const path = fileURLToPath(new URL(up, import.meta.url));
    if (existsSync(path)) return path;
  }
  throw new CairnError('missing_model', 'Expected the folder models/ in the package, got none.', {
    hint: 'Install the package again, or train the readers.',
  });
}

/** Hash of all readers' weights: a router belongs to these and no others. */
async function fingerprint(models: string): Promise<string> {
  const hash = createHash('sha256');
  for (const size of READER_SIZES) hash.update(await readFile(join(models, `read-digit-${size}`, 'model.safetensors')));
  return hash.digest('hex').slice(0, 16);
}

async function shippedRouter(models: string): Promise<PathRouter | undefined> {
  const path = join(models, 'read-digit-router', 'router.json');
  if (!existsSync(path)) return undefined;
  return PathRouter.fromState(JSON.parse(await readFile(path, 'utf8')) as RouterState);
}

async function trainingSeed(models: string): Promise<number> {
  const record: unknown = JSON.parse(await readFile(join(models, 'read-digit-large', 'training.json'), 'utf8'));
  if (typeof record === 'object' && record !== null && 'seed' in record && typeof record.seed === 'number')
    return record.seed;
  throw new CairnError('missing_model', 'Expected the seed of the training in training.json, got none.', {
    hint: 'Train the readers again.',
  });
}

/**
 * Fits the router of the readers in a folder and writes `read-digit-router/router.json` beside them, so that a first start
 * need not fit it. The same models and seed give the same file.
 */
export async function fitReadDigitRouter(
  options: { readonly models?: string; readonly seed?: string | number; readonly executor?: Executor } = {},
): Promise<RouterState['fitted']> {
  const models = options.models ?? defaultModels();
  const executor = options.executor ?? (await createOrtExecutor());
  try {
    await using mind = await Mind.open({ dataDir: ':memory:', seed: options.seed ?? 7 });
    addBoardModules(mind, await loadReaders(models, executor));
    const { router } = await calibrateReaders(mind, models);
    const folder = join(models, 'read-digit-router');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'router.json'), `${JSON.stringify(router.toState())}\n`);
    return router.fitted;
  } finally {
    if (!options.executor) await executor.dispose();
  }
}
