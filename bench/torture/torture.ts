// Kills a writer the hard way again and again and looks after every kill whether the memory kept its word: everything that
// was acknowledged is there and whole, what was forgotten is gone, and no event is half there.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { CairnError } from 'cairn/errors';
import { ComponentKeys, keysOf, Memory } from 'cairn/memory';
import { Rng } from 'cairn/tensor';
import { board, cell, CELLS, CLASSES, digitsOf } from './board.ts';

/** Events that are looked at after every kill; all of them now and then. */
const LATEST = 400;
/** What a writer that is killed in its stream of writes has said before, however slow the machine is. */
const SAID = 20;

export interface TortureOptions {
  readonly kills: number;
  readonly seed: number;
  readonly log?: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface TortureResult {
  readonly kills: number;
  /** Kills before the first acknowledgement of their writer: while it opened and repaired. */
  readonly early: number;
  readonly acknowledged: number;
  readonly forgotten: number;
  readonly repeated: number;
  /** Acknowledged and not there afterwards. Must be 0. */
  readonly lost: number;
  /** Forgotten and there afterwards. Must be 0. */
  readonly returned: number;
  /** There, but damaged or not found by one of its components. Must be 0. */
  readonly halved: number;
  /** Whole events that were stored while the kill kept their acknowledgement from being printed. */
  readonly unsaid: number;
  readonly seconds: number;
}

/** What was said of an event: how often it was remembered, whether it was asked to be forgotten, or is. */
interface Known {
  count: number;
  state: 'kept' | 'asked' | 'gone';
}

export async function torture(options: TortureOptions): Promise<TortureResult> {
  const { kills, seed, log = () => undefined, signal } = options;
  const directory = mkdtempSync(join(tmpdir(), 'cairn-torture-'));
  const start = performance.now();
  const totals = { early: 0, repeated: 0, lost: 0, returned: 0, halved: 0, unsaid: 0 };
  const known = new Map<string, Known>();
  const rng = new Rng(seed);
  try {
    const writer = await bundle(directory);
    const path = join(directory, 'cairn.db');
    for (let kill = 0; kill < kills; kill++) {
      signal?.throwIfAborted();
      // Every fifth dies while it opens the store or soon after, the others in the stream of writes.
      const early = kill % 5 === 4;
      const delay = early ? 20 + rng.integer(220) : rng.integer(250);
      const lines = await killAfter(writer, path, `${seed}-${kill}`, early, delay);
      if (!lines.some((line) => line.startsWith('+'))) totals.early++;
      totals.repeated += take(lines, known);
      // Everything is looked at now and then, and the latest after every kill.
      await inspect(path, known, totals, kill % 20 === 19 || kill === kills - 1);
      if (kill % 20 === 19) log(`${kill + 1} kills, ${known.size} events acknowledged, ${totals.lost} lost`);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  const all = [...known.values()];
  return {
    kills,
    acknowledged: all.length - totals.unsaid,
    forgotten: all.filter(({ state }) => state === 'gone').length,
    ...totals,
    seconds: (performance.now() - start) / 1000,
  };
}

/** The writer as one file that starts in a moment. */
async function bundle(directory: string): Promise<string> {
  const outfile = join(directory, 'writer.mjs');
  const root = fileURLToPath(new URL('../..', import.meta.url));
  await build({
    entryPoints: [fileURLToPath(new URL('./writer.ts', import.meta.url))],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    conditions: ['cairn-source'],
    absWorkingDir: root,
    logLevel: 'silent',
    // Native and lazily loaded packages are found from the repository at run time.
    plugins: [
      {
        name: 'packages-in-place',
        setup(b) {
          b.onResolve({ filter: /^[a-z@]/ }, ({ path, kind }) => {
            if (kind === 'entry-point' || path.startsWith('cairn/') || path.startsWith('node:')) return undefined;
            return { path: import.meta.resolve(path), external: true };
          });
        },
      },
    ],
  });
  return outfile;
}

/** Complete lines that the writer printed before it was killed, `delay` milliseconds after its start or its first lines. */
async function killAfter(writer: string, path: string, seed: string, early: boolean, delay: number): Promise<string[]> {
  const child = spawn(process.execPath, [writer, path, seed], { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const closed = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const lines: string[] = [];
  let armed = false;
  const arm = (): void => {
    if (armed) return;
    armed = true;
    setTimeout(() => child.kill('SIGKILL'), delay);
  };
  if (early) arm();
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    if (lines.length >= SAID) arm();
  });
  await closed;
  if (errors !== '') {
    throw new CairnError(
      'torture_failed',
      `Expected a writer that only dies when it is killed, got: ${errors.slice(0, 500)}.`,
    );
  }
  return lines.filter((line) => /^([+] [0-9a-f]{32}|= [0-9a-f]{32} \d+|[?-] [0-9a-f]{32})$/.test(line));
}

/** Takes over what was acknowledged; returns how many repetitions were. */
function take(lines: readonly string[], known: Map<string, Known>): number {
  let repeated = 0;
  for (const line of lines) {
    const [sign, id, rest] = line.split(' ') as [string, string, string];
    if (sign === '+') known.set(id, { count: 1, state: 'kept' });
    else if (sign === '=') {
      known.get(id)!.count = Number(rest);
      repeated++;
    } else known.get(id)!.state = sign === '?' ? 'asked' : 'gone';
  }
  return repeated;
}

/** Opens the memory as its next user would and compares it with what was said. */
async function inspect(
  path: string,
  known: Map<string, Known>,
  totals: { lost: number; returned: number; halved: number; unsaid: number },
  everything: boolean,
): Promise<void> {
  const memory = await Memory.open({ path, seed: 'torture', spec: { dim: 256 } });
  try {
    totals.halved += (await memory.verify()).length;
    const listed: { id: string; ordinal: number; digits: number[] }[] = [];
    const wanted = everything ? Infinity : LATEST;
    for (let before: number | undefined; listed.length < wanted;) {
      const page = await memory.list({ limit: 500, ...(before === undefined ? {} : { before }) });
      if (page.length === 0) break;
      for (const event of page) {
        if (!('id' in event)) continue;
        const { n } = event.meta as { n: number };
        listed.push({ id: event.id, ordinal: event.ordinal, digits: digitsOf(event.provenance.source, n) });
      }
      before = page[page.length - 1]!.ordinal;
    }
    for (const [id, { state, count }] of everything ? known : [...known].slice(-LATEST)) {
      const event = await memory.get(id);
      if (state === 'kept' && (event === undefined || event.count < count)) totals.lost++;
      if (state === 'gone' && event !== undefined) totals.returned++;
    }
    // Whole means: in the list of every one of its components.
    const keys = new ComponentKeys('torture');
    for (const { id, ordinal, digits } of listed) {
      const own = keysOf(keys.of(board(digits, CLASSES)));
      const [has] = await memory.store.shared(own, [ordinal]);
      if (has!.length !== own.length) totals.halved++;
      if (known.has(id)) continue;
      totals.unsaid++;
      // From now on it counts as acknowledged: whoever opened the memory has seen it.
      known.set(id, { count: 1, state: 'kept' });
    }
    if (!everything) return;
    // And nobody else is in these lists: what was forgotten has left them.
    for (let at = 0; at < CELLS; at++) {
      for (let digit = 0; digit < CLASSES; digit++) {
        const key = keys.bound(`0/0/${at}`, keys.entity(cell(digit, CLASSES)));
        const { frequency } = await memory.store.sharing([key], { limit: 1 });
        const expected = listed.filter(({ digits }) => digits[at] === digit).length;
        totals.halved += Math.abs(frequency[0]! - expected);
      }
    }
  } finally {
    await memory.close();
  }
}
