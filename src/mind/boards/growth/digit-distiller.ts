// What the mind needs to grow a digit reader: remembered cells whose digits were proved, training in another process, the
// frozen network as a module again, and whole boards as the trial.
import { CairnError } from '../../../errors.ts';
import type { StoredEvent } from '../../../memory/index.ts';
import {
  type Classifier,
  type ClassifierConfig,
  classifierProgram,
  createClassifier,
  parseConfig,
  stateOf,
} from '../../../nn/index.ts';
import { type Executor, readSafetensors } from '../../../tensor/index.ts';
import type { Engine } from '../../engine.ts';
import { beside, runJob } from '../../growth/_job.ts';
import type { Distiller, DistilOptions, Example, Trial } from '../../growth/index.ts';
import type { Module, TraceNode } from '../../module.ts';
import { PIXELS } from '../cells.ts';
import { digitReader } from '../read-digit.ts';
import type { BoardAnswer } from '../solve-board.ts';
import type { DistilResult, DistilTask } from './_distil-job.ts';
import type { Handwriting } from './handwriting.ts';
import { provedDigits } from './proved-digits.ts';

export interface DigitDistillerOptions {
  readonly handwriting: Handwriting;
  /** Runs what was distilled. */
  readonly executor: () => Promise<Executor>;
  /** Folder of the reader that teaches; without one the proved digits alone do. */
  readonly teacher?: string;
  readonly calibration: Distiller['calibration'];
  /** Fewer different pictures are too few. Default 1,500. */
  readonly minExamples?: number;
  /** Copies of each picture, distorted but for the first. Default 8. */
  readonly copies?: number;
  /** Passes over all copies. Default 8. */
  readonly epochs?: number;
}

const TASK = 'read-digit';

/** Distils `read-digit` from proved boards whose handwriting can be drawn again. */
export function digitDistiller(options: DigitDistillerOptions): Distiller {
  const { handwriting, minExamples = 1500, copies = 8, epochs = 8 } = options;
  const known = new WeakMap<StoredEvent, readonly Example[]>();
  const examplesOf = (event: StoredEvent): readonly Example[] => {
    const before = known.get(event);
    if (before) return before;
    const digits = provedDigits(event);
    const drawn = digits && handwriting.of(event.provenance);
    const examples = drawn
      ? [...drawn.images].flatMap((number, cell) =>
          number < 0 || digits[cell] === 0
            ? []
            : [{ input: handwriting.image(number), output: digits[cell]!, key: `${number}` }],
        )
      : [];
    known.set(event, examples);
    return examples;
  };
  return {
    task: TASK,
    examplesOf,
    distil: async (examples, how) => {
      if (examples.length < minExamples) return undefined;
      const task = toTask(examples, { seed: how.seed, teacher: options.teacher, copies, epochs });
      const { bytes } = await runJob<DistilTask, DistilResult>(beside('./_distil-job.ts', import.meta.url), task, how);
      return { bytes, module: await restore(how.id, bytes, options.executor) };
    },
    restore: (id, bytes) => restore(id, bytes, options.executor),
    trial: (engine, event) => tryBoard(engine, event, handwriting),
    calibration: options.calibration,
  };
}

function toTask(
  examples: readonly Example[],
  how: Pick<DistilTask, 'teacher' | 'copies' | 'epochs'> & Pick<DistilOptions, 'seed'>,
): DistilTask {
  const images = new Uint8Array(examples.length * PIXELS);
  const labels = new Uint8Array(examples.length);
  examples.forEach(({ input, output }, i) => {
    if (!(input instanceof Uint8Array) || typeof output !== 'number') throw foreign();
    images.set(input, i * PIXELS);
    labels[i] = output;
  });
  return { images, labels, ...how };
}

function foreign(): CairnError {
  return new CairnError('bad_examples', 'Expected pictures of digits as examples, got something else.');
}

async function restore(
  id: string,
  bytes: Uint8Array,
  executor: () => Promise<Executor>,
): Promise<Module<unknown, unknown>> {
  const { tensors, metadata } = readSafetensors(bytes);
  const config = parseConfig(JSON.parse(metadata['config'] ?? 'null'));
  if (config.model_type !== 'cairn_classifier') throw foreign();
  const reader: ClassifierConfig = config;
  const classifier: Classifier = createClassifier(
    reader,
    stateOf(classifierProgram(reader, 1), tensors),
    await executor(),
  );
  return digitReader(id.slice(TASK.length + 1), classifier) as Module<never, unknown> as Module<unknown, unknown>;
}

/** Solves a remembered board again and compares with the digits that were proved. */
async function tryBoard(engine: Engine, event: StoredEvent, handwriting: Handwriting): Promise<Trial> {
  const digits = provedDigits(event);
  const drawn = handwriting.of(event.provenance);
  if (!digits || !drawn) throw foreign();
  const [reply] = await engine.ask('solve-board', [drawn.picture]);
  const answer = reply!.output as BoardAnswer | undefined;
  const cells = reply!.trace.inputs.find(({ node }) => node.task === 'read-board')?.node.inputs ?? [];
  let errors = 0;
  let of = 0;
  cells.forEach(({ node }, cell) => {
    if (digits[cell] === 0) return;
    of++;
    if (node.amended || digitOf(node) !== digits[cell]) errors++;
  });
  const answered = answer?.status === 'proved' && answer.digits.every((digit, cell) => digit === digits[cell]);
  return { cost: reply!.usage.flop, errors, of, answered };
}

function digitOf(node: TraceNode): number {
  return node.attributes.indexOf(1);
}
