// Data-parallel training over worker processes that survives the loss of any of them. A batch is cut into a fixed number of
// shards; whoever is idle takes the next one; gradients are summed in the order of the shards, so the bits of a step do not
// depend on who computed what. A worker that dies gives its shard back and is replaced.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { CairnError } from '../../errors.ts';
import {
  adamWRule,
  applyRule,
  type Builder,
  defineProgram,
  encodeModel,
  type Executor,
  type Feed,
  gradientsOf,
  type HostTensor,
  type ModelState,
  type Program,
  type ProgramDef,
  resolveFeeds,
  Rng,
  type Tensor,
  type TypedArray,
  writeOnnx,
} from '../../tensor/index.ts';
import type { OptimizerSettings } from '../train-step.ts';

export interface ElasticOptions {
  /** The mean loss of one shard; every input has the rows of the shard as its first axis. */
  readonly loss: (b: Builder) => Tensor;
  readonly settings: OptimizerSettings;
  /** Missing entries are made, with `seed`. */
  readonly state: ModelState;
  readonly seed?: number;
  /** Applies the summed gradients, in this process. */
  readonly executor: Executor;
  /** Parts of a batch. Another number gives other bits; the number of workers does not. */
  readonly shards: number;
  readonly workers: number;
  /** How often a worker that died is replaced. Default 8. */
  readonly replacements?: number;
  /** Milliseconds after which a worker that does not answer is ended. Default 60,000. */
  readonly patience?: number;
  /** Hears of workers that are gone. */
  readonly onLoss?: (event: {
    readonly pid: number;
    readonly shard: number | undefined;
    readonly left: number;
  }) => void;
}

/** A step program for `train` whose gradients come from other processes. */
export interface ElasticProgram extends Program {
  /** Process ids of the workers that are there. */
  readonly pids: readonly number[];
}

interface Worker {
  readonly child: ChildProcess;
  ready: boolean;
  /** Version of the parameters it has. */
  version: number;
  shard: number | undefined;
  timer: NodeJS.Timeout | undefined;
}

type Outputs = Readonly<Record<string, TypedArray>>;

/**
 * Starts the workers and returns when the first is ready.
 * @throws CairnError `bad_shards`; `workers_died` from `run` when no worker is left
 * @example
 * await using program = await createElasticProgram({ loss, settings, state, executor, shards: 4, workers: 2 });
 * await train({ program, state, feeds, ... }); // feeds of 4 times the rows of a shard
 */
export async function createElasticProgram(options: ElasticOptions): Promise<ElasticProgram> {
  const { state, shards, workers: count, replacements = 8, patience = 60_000, settings } = options;
  for (const [name, value] of Object.entries({ shards, workers: count })) {
    if (!Number.isInteger(value) || value < 1 || value > 1024) {
      throw new CairnError('bad_shards', `Expected ${name} from 1 to 1024, got ${value}.`);
    }
  }
  const shardDef = defineProgram((b) => {
    const loss = options.loss(b);
    b.output('loss', loss);
    for (const { spec, gradient } of gradientsOf(b, loss)) b.output(`g:${spec.name}`, gradient);
  });
  const applyDef = applyProgram(shardDef, settings);
  const rng = new Rng(options.seed ?? 0).fork('weights');
  state.ensure(shardDef, rng).ensure(applyDef, rng);
  const apply = await options.executor.compile(applyDef, { state });
  const bytes = encodeModel(writeOnnx(shardDef.graph, { target: 'train' }));
  const workers = new Set<Worker>();
  let spare = replacements;
  let version = 0;
  let ending = false;
  let failure: CairnError | undefined;
  /** The round that is being computed. */
  let round: { number: number; todo: number[]; done: (Outputs | undefined)[]; feeds: Parts } | undefined;
  let wake = (): void => undefined;

  function start(): void {
    const child = fork(fileURLToPath(new URL('./shard-worker.mjs', import.meta.url)), {
      serialization: 'advanced',
      execArgv: [],
    });
    const worker: Worker = { child, ready: false, version: -1, shard: undefined, timer: undefined };
    workers.add(worker);
    child.on('message', (message) => hear(worker, message as Message));
    child.once('error', () => lose(worker));
    child.once('exit', () => lose(worker));
  }

  function hear(worker: Worker, message: Message): void {
    if (message.kind === 'loaded') send(worker, { kind: 'program', bytes });
    if (message.kind === 'ready') worker.ready = true;
    if (message.kind === 'failed') {
      failure ??= new CairnError('run_failed', `Expected the gradient program to run, got: ${message.text}`);
    }
    if (message.kind === 'done') {
      clearTimeout(worker.timer);
      worker.shard = undefined;
      if (round && message.round === round.number) round.done[message.shard] = message.outputs;
    }
    assign();
    wake();
  }

  function lose(worker: Worker): void {
    if (!workers.delete(worker) || ending) return;
    clearTimeout(worker.timer);
    const { shard } = worker;
    if (round && shard !== undefined && !round.done[shard]) round.todo.unshift(shard);
    options.onLoss?.({ pid: worker.child.pid ?? 0, shard, left: workers.size });
    if (spare-- > 0) start();
    assign();
    wake();
  }

  function assign(): void {
    if (!round) return;
    for (const worker of workers) {
      if (!worker.ready || worker.shard !== undefined) continue;
      const shard = round.todo.shift();
      if (shard === undefined) return;
      if (worker.version !== version) {
        send(worker, { kind: 'parameters', values: parametersOf(shardDef, state) });
        worker.version = version;
      }
      worker.shard = shard;
      worker.timer = setTimeout(() => worker.child.kill('SIGKILL'), patience);
      send(worker, { kind: 'shard', round: round.number, shard, feeds: round.feeds(shard) });
    }
  }

  /** Waits until `done` says so; fails when nobody is left who could bring it about. */
  async function until(done: () => boolean): Promise<void> {
    while (!done()) {
      if (failure) throw failure;
      if (workers.size === 0) {
        throw new CairnError(
          'workers_died',
          `Expected a worker to be left, got none after ${replacements} replacements.`,
          {
            hint: 'Look at the memory of the machine, then resume from the checkpoint.',
          },
        );
      }
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }

  const self: ElasticProgram = {
    get pids() {
      return [...workers].flatMap(({ child }) => (child.pid === undefined ? [] : [child.pid]));
    },
    stats: () => apply.stats(),
    async run(feeds) {
      const { lr, c1, c2, ...batch } = feeds;
      if (ending) throw new CairnError('program_disposed', 'Expected a live program, got one that was disposed.');
      const numbers = { number: (round?.number ?? 0) + 1, todo: Array.from({ length: shards }, (_, i) => i) };
      round = { ...numbers, done: Array.from({ length: shards }), feeds: cut(shardDef, batch, shards) };
      version++;
      assign();
      const { done } = round;
      await until(() => done.every((d) => d !== undefined));
      const sums = sumInOrder(done as Outputs[]);
      const { loss, ...gradients } = sums;
      const out = await apply.run({ ...gradients, ...definedOnly({ lr, c1, c2 }) });
      return { ...out, loss: { data: loss as Float32Array, shape: [], dtype: 'f32' } };
    },
    async dispose() {
      if (ending) return;
      ending = true;
      await Promise.all([...workers].map((worker) => end(worker)));
      workers.clear();
      await apply.dispose();
    },
    [Symbol.asyncDispose]: () => self.dispose(),
  };
  for (let i = 0; i < count; i++) start();
  try {
    await until(() => [...workers].some((w) => w.ready));
  } catch (error) {
    await self.dispose();
    throw error;
  }
  return self;
}

type Message =
  | { readonly kind: 'loaded' | 'ready' }
  | { readonly kind: 'failed'; readonly text: string }
  | { readonly kind: 'done'; readonly round: number; readonly shard: number; readonly outputs: Outputs };

/** Ends a worker; resolves when its process is gone. */
async function end({ child, timer }: Worker): Promise<void> {
  clearTimeout(timer);
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

/** A worker that has just died takes no messages; its exit is heard soon. */
function send({ child }: Worker, message: object): void {
  if (child.connected) child.send(message, () => undefined);
}

/** AdamW on gradients that are fed as `g:<name>`. */
function applyProgram({ graph }: ProgramDef, settings: OptimizerSettings): ProgramDef {
  return defineProgram((b) => {
    const gradients = graph.params
      .filter((spec) => graph.outputs.some((o) => o.name === `g:${spec.name}`))
      .map((spec) => {
        const { decay, trainable, tags, dtype } = spec;
        const param = b.param(spec.name, spec.shape, spec.init, { dtype, decay, trainable, tags });
        return { spec, param, gradient: b.input(`g:${spec.name}`, spec.shape) };
      });
    applyRule(b, gradients, adamWRule(settings), settings);
  });
}

function parametersOf(
  { graph }: ProgramDef,
  state: ModelState,
): Record<string, { data: TypedArray; shape: readonly number[] }> {
  return Object.fromEntries(
    graph.params.map(({ name }) => {
      const { data, shape } = state.borrow(name);
      return [`p:${name}`, { data, shape }];
    }),
  );
}

type Parts = (shard: number) => Record<string, { data: TypedArray; shape: readonly number[] }>;

/** Cuts the rows of a batch into shards. */
function cut(def: ProgramDef, batch: Readonly<Record<string, Feed>>, shards: number): Parts {
  const whole = new Map<string, TypedArray>();
  for (const [name, feed] of Object.entries(batch)) {
    if (typeof feed === 'number')
      throw new CairnError('bad_shards', `Expected rows for input \`${name}\`, got a number.`);
    whole.set(name, 'dtype' in feed ? feed.data : feed);
  }
  return (shard) => {
    const part = Object.fromEntries(
      [...whole].map(([name, data]) => {
        const size = data.length / shards;
        return [name, data.slice(shard * size, (shard + 1) * size)];
      }),
    );
    const checked: HostTensor[] = resolveFeeds(def, part);
    return Object.fromEntries(
      def.graph.inputs.map(({ name }, i) => [name, { data: checked[i]!.data, shape: checked[i]!.shape }]),
    );
  };
}

/** Means over shards, added up in their order whoever was first. */
function sumInOrder(shards: readonly Outputs[]): Record<string, Float32Array> {
  const share = 1 / shards.length;
  return Object.fromEntries(
    Object.keys(shards[0]!).map((name) => {
      const sum = Float32Array.from(shards[0]![name]!);
      for (const shard of shards.slice(1)) {
        const more = shard[name]!;
        for (let i = 0; i < sum.length; i++) sum[i]! += more[i]!;
      }
      for (let i = 0; i < sum.length; i++) sum[i]! *= share;
      return [name, sum];
    }),
  );
}

function definedOnly(feeds: Readonly<Record<string, Feed | undefined>>): Record<string, Feed> {
  return Object.fromEntries(Object.entries(feeds).flatMap(([k, v]) => (v === undefined ? [] : [[k, v] as const])));
}
