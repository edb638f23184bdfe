// Checks of what comes in from outside: parameters, outcomes, stored states.
import { CairnError } from '../errors.ts';
import type { PredictorState } from './types.ts';

export function checkBit(bit: number): void {
  if (!(bit >= -1 && bit <= 1)) {
    throw new CairnError('bad_outcome', `Expected a payoff between -1 and 1, got ${String(bit)}.`, {
      hint: 'Scale payoffs into [-1,1]; a loss l in [0,1] is the gain 1 - 2 l.',
    });
  }
}

export function checkGains(gains: ArrayLike<number>, experts: number): void {
  if (gains.length !== experts) {
    throw new CairnError('bad_outcome', `Expected ${experts} gains, got ${gains.length}.`, {
      hint: 'Give one gain for every expert, in their order.',
    });
  }
  for (let k = 0; k < experts; k++) checkBit(gains[k]!);
}

export function checkInteger(name: string, value: number, low: number, high = Number.MAX_SAFE_INTEGER): void {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new CairnError('bad_parameter', `Expected ${name} to be an integer from ${low} to ${high}, got ${value}.`, {
      hint: `Choose ${name} in that range.`,
    });
  }
}

export function checkRange(name: string, value: number, low: number, high: number): void {
  if (!(value >= low && value <= high)) {
    throw new CairnError('bad_parameter', `Expected ${name} between ${low} and ${high}, got ${value}.`, {
      hint: `Choose ${name} in that range.`,
    });
  }
}

/** The values of a stored state of this `kind`; `valid` says whether they can be one. */
export function checkState(
  state: PredictorState,
  kind: string,
  length: number,
  valid: (values: readonly number[]) => boolean = () => true,
): readonly number[] {
  if (state.kind !== kind) {
    throw new CairnError('bad_state', `Expected the state of ${kind}, got that of ${String(state.kind)}.`, {
      hint: 'Restore into a predictor made with the same options.',
    });
  }
  const { values } = state;
  if (values.length !== length || !values.every(Number.isFinite) || !valid(values)) {
    throw new CairnError('bad_state', `Expected ${length} numbers in the state of ${kind}, got others.`, {
      hint: 'The stored state is damaged; start anew.',
    });
  }
  return values;
}

/** The parts of a stored state, each of which another predictor will check. */
export function checkParts(state: PredictorState, count: number): readonly PredictorState[] {
  const parts = state.parts ?? [];
  if (parts.length !== count) {
    throw new CairnError('bad_state', `Expected ${count} parts in the state of ${state.kind}, got ${parts.length}.`, {
      hint: 'The stored state is damaged; start anew.',
    });
  }
  return parts;
}
