// The form of a command and its argument parser: strict options over node's own parser, so that a typo is an error.
import { parseArgs } from 'node:util';
import { CairnError } from '../errors.ts';
import type { Io } from './io.ts';

export interface OptionSpec {
  readonly type: 'string' | 'boolean' | 'number';
  readonly about: string;
  readonly value?: string;
  readonly short?: string;
  /** May be given several times. */
  readonly multiple?: boolean;
}

export interface Args {
  readonly positionals: readonly string[];
  text(name: string): string | undefined;
  /** All values of an option that may be given several times. */
  list(name: string): readonly string[];
  flag(name: string): boolean;
  /** A number inside [low, high], or undefined when the option is absent. */
  number(name: string, low?: number, high?: number): number | undefined;
}

export interface Command {
  readonly name: string;
  readonly about: string;
  readonly usage: string;
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly examples: readonly string[];
  /** Returns the result; the caller prints `toText(result)` or its JSON. `exitCode` is 0 unless the result says otherwise. */
  run(args: Args, io: Io): Promise<CommandResult>;
}

export interface CommandResult {
  /** What `--json` prints. */
  readonly value: unknown;
  /** What a person reads; empty prints nothing. */
  readonly text: string;
  readonly exitCode?: number;
}

/** Options that every command takes; a command may give `data` its own meaning (lab and bench: a folder of data sets). */
export const commonOptions: Readonly<Record<string, OptionSpec>> = {
  json: { type: 'boolean', about: 'print one JSON object on stdout' },
  quiet: { type: 'boolean', short: 'q', about: 'no progress on stderr' },
  data: { type: 'string', value: 'DIR', about: 'data directory (default: CAIRN_DATA or .cairn)' },
  debug: { type: 'boolean', about: 'show stacks' },
  help: { type: 'boolean', short: 'h', about: 'show this text' },
};

/** Options of the commands that use a memory. */
export const memoryOptions: Readonly<Record<string, OptionSpec>> = {
  store: {
    type: 'string',
    value: 'URL',
    multiple: true,
    about: 'keep memories on a PostgreSQL server: postgres://...; several with commas or repeated (or CAIRN_STORE)',
  },
  replicas: { type: 'number', about: 'on how many of several servers each event is kept, 1 or 2 (for a new store)' },
};

/** Parses arguments strictly. Throws `usage` errors that name the option and the nearest known one. */
export function parseCommand(command: Command, argv: readonly string[]): Args {
  const specs = { ...commonOptions, ...command.options };
  const known = Object.keys(specs);
  let parsed: { values: Record<string, string | boolean | (string | boolean)[] | undefined>; positionals: string[] };
  try {
    parsed = parseArgs({
      args: [...argv],
      options: Object.fromEntries(
        Object.entries(specs).map(([name, spec]) => [
          name,
          {
            type: spec.type === 'boolean' ? ('boolean' as const) : ('string' as const),
            ...(spec.short ? { short: spec.short } : {}),
            ...(spec.multiple ? { multiple: true } : {}),
          },
        ]),
      ),
      allowPositionals: true,
      allowNegative: true,
      strict: true,
    });
  } catch (error) {
    const text = error instanceof Error ? error.message.split('. ')[0]! : String(error);
    const unknown = /'--?([\w-]+)/.exec(text)?.[1];
    const near = unknown && !known.includes(unknown) ? nearest(unknown, known) : undefined;
    throw new CairnError('usage', `Expected options of \`cairn ${command.name}\`, got: ${text}.`, {
      hint: near
        ? `Did you mean --${near}? Run \`cairn ${command.name} --help\`.`
        : `Run \`cairn ${command.name} --help\`.`,
      cause: error,
    });
  }
  const { values, positionals } = parsed;
  return {
    positionals,
    text: (name) => (typeof values[name] === 'string' ? values[name] : undefined),
    list: (name) => {
      const value = values[name];
      return Array.isArray(value) ? value.filter((text) => typeof text === 'string') : [];
    },
    flag: (name) => values[name] === true,
    number(name, low = -Infinity, high = Infinity) {
      const raw = values[name];
      if (typeof raw !== 'string') return undefined;
      const value = Number(raw);
      if (raw.trim() === '' || !Number.isFinite(value) || value < low || value > high) {
        const range = low === -Infinity && high === Infinity ? 'a number' : `a number from ${low} to ${high}`;
        throw new CairnError('usage', `Expected ${range} for --${name}, got "${raw}".`, {
          hint: `Run \`cairn ${command.name} --help\`.`,
        });
      }
      return value;
    },
  };
}

/** The known word with the smallest edit distance, when it is near enough to be meant. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 2)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** The help text of one command. */
export function commandHelp(command: Command): string {
  const specs = { ...commonOptions, ...command.options };
  const rows = Object.entries(specs).map(([name, spec]) => {
    const head = `${spec.short ? `-${spec.short}, ` : '    '}--${name}${spec.type === 'boolean' ? '' : ` ${spec.value ?? 'N'}`}`;
    return [head, spec.about] as const;
  });
  const width = Math.max(...rows.map(([head]) => head.length));
  return [
    `cairn ${command.usage}`,
    '',
    command.about,
    '',
    'Options:',
    ...rows.map(([head, about]) => `  ${head.padEnd(width)}  ${about}`),
    ...(command.examples.length ? ['', 'Examples:', ...command.examples.map((e) => `  ${e}`)] : []),
  ].join('\n');
}
