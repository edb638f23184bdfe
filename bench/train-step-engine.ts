// What our engines of training steps share: threads and workload from the command line, first steps whose losses are told, rounds.
import { adamFeeds, createOrtExecutor, type Executor, type Feed, type Program } from 'cairn/tensor';
import { serveEngine } from './rounds.ts';

export interface StepWork {
  /** Steps of warm-up, whose losses all engines must agree on. */
  readonly warmup: number;
  readonly optimizer: { readonly lr: number; readonly beta1: number; readonly beta2: number };
  /** What a step is fed beside its learning rate. */
  readonly feeds: (step: number) => Readonly<Record<string, Feed>>;
  readonly compile: (executor: Executor) => Promise<Program>;
  /** Milliseconds of named parts of the start, read when the program is compiled. */
  readonly startup?: () => Readonly<Record<string, number>>;
}

/** Runs an engine that was started with `<script> <workload folder> <threads>`, until its input ends. */
export async function serveTrainStep(workOf: (dir: string) => StepWork): Promise<void> {
  const [dir, threads] = process.argv.slice(2) as [string, string];
  const { warmup, optimizer, feeds, compile, startup } = workOf(dir);
  const executor = await createOrtExecutor({ threads: Number(threads) });
  const program = await compile(executor);
  await serveSteps({
    version: `onnxruntime-node 1.30.0, ${threads} threads`,
    warmup,
    ...(startup === undefined ? {} : { startup: startup() }),
    async step(i) {
      const { loss } = await program.run({ ...feeds(i), ...adamFeeds(i + 1, optimizer.lr, optimizer) });
      return loss!.data[0]!;
    },
  });
}

/** Steps of warm-up, whose losses are told, then rounds of further ones, until the input ends. For any engine. */
export async function serveSteps(engine: {
  readonly version: string;
  readonly warmup: number;
  readonly startup?: Readonly<Record<string, number>>;
  /** One training step, counted from 0; returns its loss. */
  readonly step: (i: number) => Promise<number>;
}): Promise<void> {
  const { warmup, step, ...info } = engine;
  const check: number[] = [];
  for (let i = 0; i < warmup; i++) check.push(await step(i));
  let count = warmup;
  await serveEngine({
    ...info,
    check,
    unit: async () => {
      await step(count++);
    },
  });
  process.exit(0);
}
