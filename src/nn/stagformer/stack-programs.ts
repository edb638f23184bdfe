// One stack as programs of its own: `step` takes one token after what the stack carries, `prompt` takes a whole prompt from
// its start, `head` combines the stacks. Decoding runs them one after another or, each stack on a thread, at the same time.
import {
  addToDim,
  type Builder,
  defineProgram,
  encodeModel,
  gather,
  isSymbolic,
  type ModelState,
  ORT_OPTIMIZATION,
  type ProgramDef,
  type Tensor,
  typeOf,
  writeOnnx,
} from '../../tensor/index.ts';
import { outputEntry } from '../_growing-cache.ts';
import { createCall, crossSpan, type Frame, sightMask, type Span } from '../lm-call.ts';
import { type LmConfig, stackCount } from '../lm-config.ts';
import type { StageCarry, StageFeed, StageFetch, StageProgram, StageSpec } from '../parallel/index.ts';
import { streamOf } from '../stream.ts';
import { embed, head } from '../ends.ts';
import type { CrossMemory } from './cross.ts';
import type { Region, StackMemory } from './stack-memory.ts';
import { combineStacks, hasEarlier, runStack } from './stacks.ts';

/** Numbers of a stage's programs. */
export const STEP = 0;
export const PROMPT = 1;
export const HEAD = 2;

/** Width of what a stack gives to the head. */
export function outWidth(config: LmConfig): number {
  let width = 0;
  defineProgram((b) => {
    const ids = b.input('ids', [1, 1], 'i32');
    width = streamOf(b, createCall(b, config, ids, {})).outWidth;
    b.output('ids of no use', ids);
  });
  return width;
}

/** Prompts go through in one piece where the architecture allows a length that is known at run time only. */
export function takesPrompts(c: LmConfig): boolean {
  return c.num_key_value_heads === c.num_attention_heads && c.moe_num_experts === undefined;
}

/** What a stack carries from call to call, -1 in the shape for the length of the span's cache. */
interface Slot {
  readonly shape: readonly number[];
  readonly span: Span | undefined;
}

export interface StackProgram {
  readonly def: ProgramDef;
  readonly slots: ReadonlyMap<string, Slot>;
}

/** A stack on a token (`step`) or on a prompt of two tokens or more. */
export function stackProgram(config: LmConfig, stack: number, kind: 'step' | 'prompt'): StackProgram {
  const slots = new Map<string, Slot>();
  const def = defineProgram((b) => {
    const length = kind === 'step' ? 1 : addToDim(b.symbol('earlier'), 1);
    const ids = b.input('ids', [1, length], 'i32');
    const positions = b.input('positions', [length], 'i32');
    const kept = new Map<string, Tensor>();
    const pasts = new Map<string, Tensor>();
    const frame: Frame = {
      positions,
      // A step sees all that it carries: the host cuts it to the window.
      mask: (span) => (kind === 'step' ? undefined : sightMask(positions, positions, span)),
      keep: (name, value) => void kept.set(name, value),
      past(name, shape, span) {
        if (span && limitOf(span) === 0) return undefined; // nothing of it is seen again
        slots.set(name, { shape, span });
        if (kind === 'prompt') return undefined;
        const past = b.input(
          `past.${name}`,
          shape.map((d) => (d === -1 && span ? b.symbol(`past.${span.name}`) : d)),
        );
        pasts.set(name, past);
        return past;
      },
    };
    const call = createCall(b, config, ids, { frame });
    const stream = streamOf(b, call);
    const opened = stream.open(embed(b, call, stream.embedWidth));
    const memory = stack === 0 ? undefined : stackBefore(b, config, positions, kind);
    const state = runStack(b, call, stream, opened, stack, memory);
    b.output('rows', stream.read(state));
    const closed = stream.close(state);
    if (config.stag_combine === true) b.output('closed', closed);
    else if (stack === stackCount(config) - 1) {
      const last = kind === 'step' ? closed : gather(closed, b.input('last', [1], 'i32'), 1);
      b.output('logits', head(b, call, last));
    }
    for (const [name, t] of kept) if (slots.has(name)) outputEntry(b, name, pasts.get(name), t);
  });
  return { def, slots };
}

function stackBefore(b: Builder, c: LmConfig, positions: Tensor, kind: 'step' | 'prompt'): CrossMemory {
  const some = c.stag_cross_window === 1 ? undefined : hasEarlier(positions);
  const count = kind === 'step' ? 1 : b.symbol('earlier');
  const rows = b.input('earlier', [1, count, c.hidden_size]);
  if (kind === 'step') return { rows, positions: positions.sub(b.constant(1, [], 'i32')), mask: undefined, some };
  const at = b.input('earlierPositions', [count], 'i32');
  return { rows, positions: at, mask: sightMask(positions, at, crossSpan(c)), some };
}

/** Entries of a cache that a step after it still sees. */
function limitOf(span: Span): number | undefined {
  return span.window === null ? undefined : span.window - 1;
}

/** Logits of a learned combination, from the rows that all stacks closed. */
function headProgram(config: LmConfig, stacks: number, width: number): StackProgram {
  const def = defineProgram((b) => {
    const ids = b.input('ids', [1, 1], 'i32');
    const closed = Array.from({ length: stacks }, (_, s) => b.input(`closed.${s}`, [1, 1, width]));
    b.output('logits', head(b, createCall(b, config, ids, {}), combineStacks(b, closed)));
  });
  return { def, slots: new Map() };
}

/**
 * What a thread needs to run stack `stack`.
 * @param feedback the rows of the stack before are those of this stack itself (recurrent approximation)
 */
export function stackStage(
  config: LmConfig,
  state: ModelState,
  memory: StackMemory,
  stack: number,
  feedback = false,
): StageSpec {
  const stacks = stackCount(config);
  const before = memory.rows[stack - 1];
  const own = memory.rows[stack]!;
  const build = (program: StackProgram, earlier: Region | undefined): StageProgram =>
    toStage(program, state, { memory, own, closed: memory.closed[stack], earlier });
  const step = build(stackProgram(config, stack, 'step'), feedback ? own : before);
  const prompt = takesPrompts(config) ? build(stackProgram(config, stack, 'prompt'), before) : undefined;
  const combines = config.stag_combine === true && stack === stacks - 1;
  const head = combines ? build(headProgram(config, stacks, memory.closed[0]!.width), undefined) : undefined;
  return { programs: [step, prompt, head], optimization: ORT_OPTIMIZATION };
}

interface Places {
  readonly memory: StackMemory;
  /** Rows of this stack, and of the one it attends to. */
  readonly own: Region;
  readonly earlier: Region | undefined;
  readonly closed: Region | undefined;
}

/** Connects the inputs and outputs of a program with the block of memory. */
function toStage({ def: { graph }, slots }: StackProgram, state: ModelState, places: Places): StageProgram {
  const kind = graph.inputs.some((x) => x.name === 'earlierPositions') ? 'prompt' : 'step';
  const feeds: StageFeed[] = graph.inputs
    .filter(({ name }) => !name.startsWith('past.'))
    .map(({ name, node }) => {
      const { shape } = typeOf(graph, { node, port: 0 });
      return { name, ...sourceOf(name, places, kind), shape: shape.map((d) => (isSymbolic(d) ? -1 : d)) };
    });
  const fetches: StageFetch[] = [];
  const carries: StageCarry[] = [];
  const inputs = new Set(graph.inputs.map((x) => x.name));
  for (const { name } of graph.outputs) {
    if (name === 'logits') fetches.push({ name, ...places.memory.logits, perPosition: false, shift: 0 });
    else if (name === 'rows') fetches.push({ name, ...places.own, perPosition: true, shift: 1 });
    else if (name === 'closed') fetches.push({ name, ...places.closed!, perPosition: true, shift: 0 });
    else {
      const entry = name.slice(name.indexOf('.') + 1);
      const { shape, span } = slots.get(entry)!;
      carries.push({
        name: entry,
        output: name,
        fresh: name.startsWith('fresh.'),
        empty: shape.map((d) => (d === -1 ? 0 : d)),
        axis: shape.indexOf(-1),
        ...(inputs.has(`past.${entry}`) ? { input: `past.${entry}` } : {}),
        ...(span === undefined ? {} : { limit: limitOf(span) }),
        fromSecond: span?.name === 'cross',
      });
    }
  }
  const bytes = encodeModel(writeOnnx(graph, { target: 'train', weights: (name) => state.borrow(name) }));
  return { bytes, feeds, fetches, carries };
}

/** Where an input is read. Rows of stacks have one row before position 0. */
function sourceOf(
  name: string,
  { memory, earlier }: Places,
  kind: 'step' | 'prompt',
): Omit<StageFeed, 'name' | 'shape'> {
  const closed = /^closed\.(\d+)$/.exec(name);
  if (closed) return { ...memory.closed[Number(closed[1])]!, shift: 0, rows: 'all' };
  switch (name) {
    case 'ids':
      return { ...memory.ids, shift: 0, rows: 'all' };
    case 'positions':
      return { ...memory.positions, shift: 0, rows: 'all' };
    case 'last':
      return { ...memory.positions, shift: 0, rows: 'last' };
    case 'earlierPositions':
      return { ...memory.positions, shift: 0, rows: 'earlier' };
    case 'earlier':
      return { ...earlier!, ...(kind === 'step' ? { shift: 0, rows: 'all' } : { shift: 1, rows: 'earlier' }) };
    default:
      return { ...memory.inputs.get(name)!, shift: 0, rows: 'all' };
  }
}
