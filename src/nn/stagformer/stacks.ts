// StagFormer (arXiv 2501.15665): p stacks of layers read the same tokens; stack s also attends to what stack s - 1 made of
// earlier positions, so that all stacks can decode one token at the same time. Ours where the paper is silent: the first
// position, which has nothing to attend to, gets zeros.
import type { Builder, Init, Tensor } from '../../tensor/index.ts';
import { crossSpan, type LmCall } from '../lm-call.ts';
import { stackCount } from '../lm-config.ts';
import { runLayers } from '../run-layers.ts';
import type { Stream } from '../stream.ts';
import { crossAttention, type CrossMemory } from './cross.ts';

/** The call of one stack: what it keeps, and what its layers share, is its own. */
function callOfStack(call: LmCall, stack: number): LmCall {
  if (stack === 0) return call;
  return {
    ...call,
    shared: new Map(),
    past: (name, shape, span) => call.past(`stack${stack}.${name}`, shape, span),
    keep: (name, value) => call.keep(`stack${stack}.${name}`, value),
  };
}

/** With shared weights, all of a later stack but its cross-attention is stack 0's. */
function sharedName(name: string): string {
  const found = /^stacks\.\d+\.((?:blocks\.\d+\.(?!cross\.)|altup\.).+)$/.exec(name);
  return found?.[1] ?? name;
}

/**
 * Runs one stack on the opened stream.
 * @param memory what it attends to; undefined for stack 0
 */
export function runStack<S>(
  b: Builder,
  whole: LmCall,
  stream: Stream<S>,
  opened: S,
  stack: number,
  memory: CrossMemory | undefined,
): S {
  const call = callOfStack(whole, stack);
  if (stack === 0 || !memory) return runLayers(b, call, stream, opened);
  const span = crossSpan(call.config);
  const build = (): S =>
    b.scope(`stacks.${stack}`, () =>
      runLayers(b, call, stream, opened, {
        options: (layer) => ({
          between: (x) => x.add(b.scope('cross', () => crossAttention(b, call, x, memory, { layer, span }))),
        }),
      }),
    );
  return call.config.stag_shared === true ? b.renaming(sharedName, build) : build();
}

/** All stacks, one after another in one program; returns what goes to the last norm and the head, `[B, T, outWidth]`. */
export function runStacks<S>(b: Builder, call: LmCall, stream: Stream<S>, opened: S): Tensor {
  const span = crossSpan(call.config);
  const mask = call.mask(span);
  const some = span.lag === 0 ? undefined : hasEarlier(call.positions);
  const states: S[] = [];
  let memory: CrossMemory | undefined;
  for (let stack = 0; stack < stackCount(call.config); stack++) {
    const state = runStack(b, call, stream, opened, stack, memory);
    const rows = b.tap(`stacks.${stack}.hook_out`, stream.read(state));
    memory = { rows, positions: call.positions, mask, some: span.window === 1 ? undefined : some };
    states.push(state);
  }
  if (call.config.stag_combine !== true) return stream.close(states.at(-1)!);
  return combineStacks(
    b,
    states.map((state) => stream.close(state)),
  );
}

/** Bool `[T, 1]`: whether there is a position before. */
export function hasEarlier(positions: Tensor): Tensor {
  return positions.gt(0).reshape([positions.shape[0]!, 1]);
}

/** A learned combination of what the stacks give; at first the last one alone. */
export function combineStacks(b: Builder, closed: readonly Tensor[]): Tensor {
  const weights = b.param('combine.weight', [closed.length], lastOne, { decay: false });
  return closed.map((x, i) => x.mul(weights.sliceAxis(0, i, i + 1))).reduce((sum, x) => sum.add(x));
}

const lastOne: Init = (_rng, [count]) => Float64Array.from({ length: count! }, (_, i) => (i === count! - 1 ? 1 : 0));
