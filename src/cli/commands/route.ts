// `cairn route import|fit|eval|add`: makes an evaluation table of logs of answers, fits a router of prompts on one, measures it as
// the papers do, adds a model to it.
import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { CairnError } from '../../errors.ts';
import {
  addFromTable,
  ANSWER_KEYS,
  comparePaired,
  dropIncomplete,
  fitRouter,
  importAnswers,
  loadRouter,
  meanOf,
  METHODS,
  readTable,
  runTrial,
  saveRouter,
  writeTable,
  type Method,
  type OperatingChoice,
  type PromptRouter,
  type PromptTable,
  type TrialFigures,
} from '../../route/index.ts';
import type { Args, Command, CommandResult } from '../command.ts';
import type { Io } from '../io.ts';
import { formatTable } from '../table.ts';

export const route: Command = {
  name: 'route',
  about:
    'Make a table of scores from logs of answers, fit a router of prompts on it, measure it, or add a model to it.',
  usage:
    'route import FILE... --models FILE --out TABLE   |   cairn route fit TABLE [--out DIR]   |   cairn route eval TABLE [--trials N]   |   cairn route add MODEL TABLE [--router DIR]',
  options: {
    out: {
      type: 'string',
      value: 'DIR',
      about: 'fit: where the router is written (default: router/ in the data directory); import: where the table is',
    },
    models: { type: 'string', value: 'FILE', about: 'import: a models.json with the prices of the models' },
    router: { type: 'string', value: 'DIR', about: 'add: the router (default: router/ in the data directory)' },
    seed: { type: 'number', about: 'default 7; eval: number of the first trial (default 0)' },
    'drop-incomplete': {
      type: 'boolean',
      about: 'leave out models that were not scored on every prompt, and say which',
    },
    validation: {
      type: 'string',
      value: 'N[,N]',
      about: 'eval: labelled prompts (default: a tenth of the table, and 200)',
    },
    unseen: { type: 'number', about: 'eval: models that the map never sees (default: two thirds)' },
    trials: { type: 'number', about: 'eval: default 5' },
    methods: { type: 'string', value: 'A,B', about: `eval: some of ${METHODS.join(', ')}` },
    'ignore-tasks': { type: 'boolean', about: 'fit: do not tell the map the tasks that prompts name' },
    quality: {
      type: 'number',
      about: 'fit: work at 0 (cheapest) to 1 (best) instead of the quality of the best single model',
    },
    'max-error-increase': {
      type: 'number',
      about: 'fit: work at most so much above the error of the best single model',
    },
    budget: { type: 'number', about: 'fit: work within so many US dollars a request, on average' },
  },
  examples: [
    'cairn route import answers.csv more.jsonl --models models.json --out tables/mine',
    'cairn route fit tables/mine --out router',
    'cairn route eval tables/mine --trials 20 --json',
    'cairn route add new-model tables/mine-with-new-model --router router',
  ],
  async run(args, io) {
    const [what, ...rest] = args.positionals;
    if (what === 'import') return importTable(args, rest);
    if (what === 'fit') return fit(args, io, rest);
    if (what === 'eval') return evaluate(args, io, rest);
    if (what === 'add') return add(args, io, rest);
    throw new CairnError(
      'usage',
      `Expected import, fit, eval or add, got ${what === undefined ? 'nothing' : `"${what}"`}.`,
      {
        hint: 'Run `cairn route --help`.',
      },
    );
  },
};

async function importTable(args: Args, files: readonly string[]): Promise<CommandResult> {
  const [models, out] = [args.text('models'), args.text('out')];
  if (files.length === 0 || models === undefined || out === undefined) {
    throw new CairnError('usage', 'Expected files of answers, --models FILE and --out TABLE, got less.', {
      hint: `A line is one answer of one model: ${ANSWER_KEYS.join(', ')}; see docs/routing.md.`,
    });
  }
  const texts = await Promise.all(files.map(async (file) => ({ name: basename(file), text: await textOf(file) })));
  const table = importAnswers(texts, await textOf(models));
  const folder = resolve(out);
  await writeTable(table, folder);
  const cells = table.prompts.length * table.models.length;
  const scored = table.score.reduce((n, s) => n + (Number.isNaN(s) ? 0 : 1), 0);
  const ids = table.models.map((m) => m.id);
  return {
    value: { out: folder, prompts: table.prompts.length, models: ids, scored, missing: cells - scored },
    text: `${table.prompts.length} prompts, ${ids.length} models (${ids.join(', ')}), ${scored} of ${cells} scores.\n\nTable: ${folder}`,
  };
}

async function textOf(file: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(resolve(file));
  } catch (cause) {
    throw new CairnError('no_file', `Expected a file ${file}, got none that can be read.`, {
      hint: 'Check the path.',
      cause,
    });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new CairnError('bad_table', `Expected UTF-8 in ${file}, got other bytes.`, {
      hint: 'Save the file as UTF-8.',
      cause,
    });
  }
}

const NO_TABLE =
  'Name a folder with prompts.jsonl, scores.csv and models.json; `cairn route import` makes one of answers.';

async function fit(args: Args, io: Io, rest: readonly string[]): Promise<CommandResult> {
  const table = await tableAt(args, io, rest[0], rest.length - 1);
  const out = resolve(args.text('out') ?? join(io.dataDir, 'router'));
  const router = fitRouter(table, {
    seed: args.number('seed') ?? 7,
    onProgress: (line) => io.progress(line),
    tasks: !args.flag('ignore-tasks'),
    ...operating(args),
  });
  io.signal.throwIfAborted();
  const card = await saveRouter(router, out);
  return {
    value: { out, ...summaryOf(router), card: join(out, 'router.json'), sha256: card.sha256 },
    text: `${summaryText(router)}\n\nRouter: ${out}`,
  };
}

async function add(args: Args, io: Io, rest: readonly string[]): Promise<CommandResult> {
  const [model, ...more] = rest;
  if (model === undefined) {
    throw new CairnError('usage', 'Expected a model and a table, got nothing.', {
      hint: 'cairn route add MODEL TABLE',
    });
  }
  const folder = resolve(args.text('router') ?? join(io.dataDir, 'router'));
  if (more[0] === undefined)
    throw new CairnError('usage', 'Expected a folder with a table, got none.', { hint: NO_TABLE });
  const table = await readTable(resolve(more[0]));
  const before = await loadRouter(folder);
  io.progress(`Scores of ${model} on the ${before.parts.validation.ids.length} labelled prompts.`);
  const { router, known } = addFromTable(before, table, model);
  await saveRouter(router, folder);
  return {
    value: { router: folder, model, prompts: known, ...summaryOf(router) },
    text: `${model} was scored on ${known} of ${router.parts.validation.ids.length} labelled prompts.\n\n${summaryText(router)}\n\nRouter: ${folder}`,
  };
}

async function evaluate(args: Args, io: Io, rest: readonly string[]): Promise<CommandResult> {
  const table = await tableAt(args, io, rest[0], rest.length - 1);
  const trials = args.number('trials', 1, 1000) ?? 5;
  const first = args.number('seed') ?? 0;
  const tenth = Math.round(0.7 * table.prompts.length) - Math.round(0.6 * table.prompts.length);
  const validation = numbers(args.text('validation')) ?? (tenth > 200 ? [200, tenth] : [tenth]);
  const unseen = args.number('unseen', 1, table.models.length) ?? Math.ceil((2 * table.models.length) / 3);
  const methods = methodsOf(args.text('methods'));
  const figures: TrialFigures[] = [];
  for (let trial = first; trial < first + trials; trial++) {
    io.signal.throwIfAborted();
    io.status(`Trial ${trial - first + 1} of ${trials}.`);
    figures.push(...runTrial(table, trial, { validation, unseen, methods }));
    await new Promise((resume) => setImmediate(resume));
  }
  const rows = summarise(figures);
  return {
    value: { prompts: table.prompts.length, models: table.models.length, unseen, trials, firstTrial: first, rows },
    text: [
      `${table.prompts.length} prompts, ${table.models.length} models, ${unseen} of them unseen by the map; ${trials} trials from ${first}.`,
      '',
      formatTable(
        [
          'labelled',
          'method',
          'Area',
          'se',
          'Area50',
          'QNC',
          'peak',
          'above ZeroRouter',
          'se',
          'trials won',
          'sign test',
        ],
        rows.map((r) => [
          r.validation, r.method, r.area, r.areaError, r.area50, r.qnc, r.peak, r.gain ?? null, r.gainError ?? null,
          r.wins === undefined ? null : `${r.wins}/${trials}`, r.signTest ?? null,
        ]), // prettier-ignore
      ),
      '',
      'Area is quality over relative cost 0 to 1. QNC is the share of the best single model’s cost at which its quality is reached.',
    ].join('\n'),
  };
}

interface Row {
  readonly validation: number;
  readonly method: Method;
  readonly area: number;
  readonly areaError: number;
  readonly area50: number;
  readonly qnc: number;
  readonly peak: number;
  readonly gain?: number;
  readonly gainError?: number;
  readonly wins?: number;
  readonly signTest?: number;
}

function summarise(figures: readonly TrialFigures[]): Row[] {
  const sizes = [...new Set(figures.map((f) => f.validation))].sort((a, b) => a - b);
  return sizes.flatMap((validation) =>
    METHODS.flatMap((method): Row[] => {
      const of = (m: Method): TrialFigures[] => figures.filter((f) => f.validation === validation && f.method === m);
      const own = of(method);
      const zero = of('zero');
      if (own.length === 0) return [];
      const mean = (pick: (f: TrialFigures) => number): number => meanOf(own.map(pick)).mean;
      const area = meanOf(own.map((f) => f.area));
      const paired =
        zero.length === own.length && method !== 'zero'
          ? comparePaired(
              own.map((f) => f.area),
              zero.map((f) => f.area),
            )
          : undefined;
      return [
        {
          validation,
          method,
          area: area.mean,
          areaError: area.standardError,
          area50: mean((f) => f.area50),
          qnc: mean((f) => f.qnc),
          peak: mean((f) => f.peak),
          ...(paired
            ? { gain: paired.mean, gainError: paired.standardError, wins: paired.wins, signTest: paired.signTest }
            : {}),
        },
      ];
    }),
  );
}

async function tableAt(args: Args, io: Io, folder: string | undefined, more: number): Promise<PromptTable> {
  if (folder === undefined)
    throw new CairnError('usage', 'Expected a folder with a table, got none.', { hint: NO_TABLE });
  if (more > 0) throw new CairnError('usage', `Expected one folder, got ${more} more words.`);
  const table = await readTable(resolve(folder));
  if (!args.flag('drop-incomplete')) return table;
  const { table: complete, dropped } = dropIncomplete(table);
  io.progress(
    dropped.length > 0 ? `Left out, not scored on every prompt: ${dropped.join(', ')}.` : 'All models are complete.',
  );
  if (complete.models.length === 0) {
    throw new CairnError('empty_pool', 'Expected at least one complete model, got none.', {
      hint: 'Score more prompts.',
    });
  }
  return complete;
}

function operating(args: Args): { operating?: OperatingChoice } {
  const quality = args.number('quality', 0, 1);
  const increase = args.number('max-error-increase', 0, 1);
  const budget = args.number('budget', 0, 1e9);
  const given = [quality, increase, budget].filter((v) => v !== undefined);
  if (given.length > 1) {
    throw new CairnError('usage', 'Expected one of --quality, --max-error-increase and --budget, got more.');
  }
  if (quality !== undefined) return { operating: { kind: 'quality', value: quality } };
  if (increase !== undefined) return { operating: { kind: 'maxErrorIncrease', value: increase } };
  if (budget !== undefined) return { operating: { kind: 'budgetPerRequest', value: budget } };
  return {};
}

function numbers(text: string | undefined): number[] | undefined {
  if (text === undefined) return undefined;
  const values = text.split(',').map(Number);
  if (values.some((v) => !Number.isInteger(v) || v < 1)) {
    throw new CairnError('usage', `Expected whole numbers for --validation, got "${text}".`);
  }
  return values;
}

function methodsOf(text: string | undefined): readonly Method[] {
  if (text === undefined) return METHODS;
  return text.split(',').map((name) => {
    const method = METHODS.find((m) => m === name);
    if (!method) throw new CairnError('usage', `Expected some of ${METHODS.join(', ')} for --methods, got "${name}".`);
    return method;
  });
}

function summaryOf(router: PromptRouter): object {
  const { point, curve } = router;
  const best = router.arms[curve.best.arm]!.id;
  return {
    version: router.version,
    features: router.parts.encoder.id,
    labelled: router.parts.validation.ids.length,
    n0: Number.isFinite(router.parts.options.n0) ? router.parts.options.n0 : 'infinite',
    lambda: point.lambda,
    expectedError: point.error,
    expectedErrorInterval: point.errorInterval,
    expectedCostUsd: point.cost,
    expectedCostInterval: point.costInterval,
    best: { model: best, error: curve.best.error, costUsd: curve.best.cost },
    models: router.arms.map((arm, a) => ({
      id: arm.id,
      error: router.estimates[a]!.mean,
      costUsd: router.estimates[a]!.meanCost,
      share: point.shares[a],
      profiled: arm.profiled,
    })),
  };
}

function summaryText(router: PromptRouter): string {
  const { point, curve } = router;
  const best = router.arms[curve.best.arm]!.id;
  const [low, high] = point.errorInterval;
  return [
    formatTable(
      ['model', 'error', 'USD a call', 'share of prompts'],
      router.arms.map((arm, a) => [arm.id, router.estimates[a]!.mean, router.estimates[a]!.meanCost, point.shares[a]!]),
    ),
    '',
    `Routed: error ${point.error.toFixed(3)} [${low.toFixed(3)}, ${high.toFixed(3)}] at ${percent(point.cost / curve.best.cost)} of the cost of ${best}, whose error is ${curve.best.error.toFixed(3)}` +
      ` (on ${curve.prompts} labelled prompts, each predicted as if it had not been labelled).`,
  ].join('\n');
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
