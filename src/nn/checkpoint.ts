// A training run on disk: one atomic safetensors file with parameters, moments and where the run stands. Batches are pure
// functions of the step, so the step is the whole data cursor. Also the metrics log, one JSON object a line.
import { appendFile, readFile, rm } from 'node:fs/promises';
import { CairnError } from '../errors.ts';
import { type ModelState, readSafetensorsFile, writeFileAtomic, writeSafetensorsFile } from '../tensor/index.ts';

/** Everything of a run that is not an array. */
export interface RunPosition {
  /** Steps done. */
  readonly step: number;
  /** Seconds of training so far, over all sittings. */
  readonly seconds: number;
  /** Non-finite steps that were skipped: in a row until now, and in all. */
  readonly skippedInRow: number;
  readonly skipped: number;
  /** Running mean of the loss. */
  readonly smoothedLoss: number | null;
  /** Best validation value so far and the number of evaluations since. */
  readonly best: number | null;
  readonly sinceBest: number;
}

export const START: RunPosition = {
  step: 0,
  seconds: 0,
  skippedInRow: 0,
  skipped: 0,
  smoothedLoss: null,
  best: null,
  sinceBest: 0,
};

/** Prefix of the entries that hold the best parameters so far, when a run stops early. */
const BEST = 'best:';

/**
 * Writes a checkpoint; a crash leaves the old or the new one.
 * @param fingerprint says which run this is (model, data, seed, schedule); `loadCheckpoint` compares it
 */
export async function saveCheckpoint(
  path: string,
  state: ModelState,
  position: RunPosition,
  fingerprint: string,
  best?: ModelState,
): Promise<void> {
  const tensors = [...state.entries(), ...[...(best?.entries() ?? [])].map(([k, t]) => [BEST + k, t] as const)];
  await writeSafetensorsFile(path, tensors, {
    format: 'cairn-checkpoint/1',
    fingerprint,
    position: JSON.stringify(position),
  });
}

/**
 * Reads a checkpoint into `state` (and the best parameters into `best`).
 * @throws CairnError `wrong_checkpoint` when it belongs to another run, `bad_safetensors` when it is damaged.
 */
export async function loadCheckpoint(
  path: string,
  state: ModelState,
  fingerprint: string,
  best?: ModelState,
): Promise<RunPosition> {
  const { tensors, metadata } = await readSafetensorsFile(path, { raw: true });
  if (metadata['format'] !== 'cairn-checkpoint/1' || metadata['fingerprint'] !== fingerprint) {
    throw new CairnError('wrong_checkpoint', `Expected a checkpoint of this run, got one of another at ${path}.`, {
      hint: 'Resume with the options the run was started with, or start over.',
    });
  }
  for (const [name, t] of tensors) {
    const { data, shape, dtype } = t;
    const target = name.startsWith(BEST) ? best : state;
    if (!(dtype === 'f32' || dtype === 'f64' || dtype === 'i32' || dtype === 'u32' || dtype === 'bool')) continue;
    if (data instanceof BigInt64Array || data instanceof Int16Array || data instanceof Int8Array) continue;
    target?.set(name.startsWith(BEST) ? name.slice(BEST.length) : name, { data, shape, dtype });
  }
  return parsePosition(metadata['position'] ?? '', path);
}

function parsePosition(text: string, path: string): RunPosition {
  try {
    const found = JSON.parse(text) as Partial<RunPosition> | null;
    if (found !== null && Number.isSafeInteger(found.step)) return { ...START, ...found };
  } catch {
    // Falls through to the error below, which says more than a JSON message would.
  }
  throw new CairnError('wrong_checkpoint', `Expected the position of a run in the metadata of ${path}, got none.`);
}

/** Removes a checkpoint that is no longer needed. */
export async function removeCheckpoint(path: string): Promise<void> {
  await rm(path, { force: true });
}

/** Appends one record to a metrics log. */
export async function logMetrics(path: string, record: Readonly<Record<string, unknown>>): Promise<void> {
  await appendFile(path, `${JSON.stringify(record)}\n`);
}

/** Keeps the records up to `step`, so that a resumed run logs no step twice. A missing log is an empty one. */
export async function trimMetrics(path: string, step: number): Promise<void> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const lines = text.split('\n').filter((line) => stepOf(line) <= step);
  await writeFileAtomic(path, lines.map((l) => `${l}\n`).join(''));
}

function stepOf(line: string): number {
  try {
    const record: unknown = JSON.parse(line);
    if (typeof record === 'object' && record !== null && 'step' in record) return Number(record.step);
  } catch {
    // A line cut by a crash is dropped.
  }
  return Infinity;
}
