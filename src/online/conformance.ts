// The conformance suite of predictors: what every bettor and combiner keeps to. It knows no test runner: a case throws
// when it fails.
import { CairnError } from '../errors.ts';
import type { Rng } from '../tensor/index.ts';
import type { Combiner, Predictor, PredictorState } from './types.ts';

/** How the suite feeds a kind of predictor and judges what it says. */
export interface Subject<P, O> {
  /** Throws for a prediction that is out of range. */
  check(prediction: P, predictor: Predictor<P, O>): void;
  /** Outcome number t of a stream of the given style. */
  outcome(style: Style, t: number, rng: Rng, predictor: Predictor<P, O>): O;
  /** Outcomes that must be refused. */
  bad(predictor: Predictor<P, O>): readonly O[];
}

/** Streams that predictors are run on. */
export const STYLES = ['fair', 'constant', 'alternating', 'switching', 'real', 'hostile', 'zero'] as const;
export type Style = (typeof STYLES)[number];

export interface ConformanceCase<P, O> {
  readonly name: string;
  /** Throws CairnError `not_conformant`. `create` makes the same fresh predictor every time. */
  run(create: () => Predictor<P, O>): void;
}

export interface ConformanceOptions {
  readonly rng: Rng;
  /** Length of the streams. Default 300. */
  readonly steps?: number;
}

/** Bettors: bets in [-1,1], payoffs in [-1,1]. */
export const bettorSubject: Subject<number, number> = {
  check: (bet) => demand(bet >= -1 && bet <= 1, `Expected a bet in [-1,1], got ${bet}.`),
  outcome: (style, t, rng, predictor) => payoff(style, t, rng, () => predictor.predictOne()),
  bad: () => [NaN, 1.01, -1.01, Infinity],
};

/** Combiners: weights on the simplex, gains in [-1,1]. */
export const combinerSubject: Subject<Float64Array, ArrayLike<number>> = {
  check(weights, predictor) {
    const sum = weights.reduce((a, b) => a + b, 0);
    const { experts } = predictor as Combiner;
    demand(weights.length === experts, `Expected ${experts} weights, got ${weights.length}.`);
    demand(
      weights.every((w) => w >= 0 && w <= 1) && Math.abs(sum - 1) < 1e-9,
      `Expected weights in [0,1] with sum 1, got [${weights.join(', ')}].`,
    );
  },
  outcome(style, t, rng, predictor) {
    const { experts } = predictor as Combiner;
    return Array.from({ length: experts }, (_, k) =>
      payoff(style, style === 'switching' ? t + 13 * k : t + k, rng, () => 2 * predictor.predictOne()[k]! - 1),
    );
  },
  bad(predictor) {
    const { experts } = predictor as Combiner;
    const gains = (v: number): number[] => new Array<number>(experts).fill(v);
    return [gains(NaN), gains(1.5), [...gains(0), 0], gains(0).slice(1)];
  },
};

/**
 * @example
 * for (const c of conformanceCases(bettorSubject, { rng: new Rng(1) })) c.run(() => new DiscountedBettor({ memory: 50 }));
 */
export function conformanceCases<P, O>(subject: Subject<P, O>, options: ConformanceOptions): ConformanceCase<P, O>[] {
  const { rng, steps = 300 } = options;
  const outcomes = (style: Style, p: Predictor<P, O>): ((t: number) => O) => {
    const own = rng.fork(style);
    return (t) => subject.outcome(style, t, own, p);
  };
  const inRange = STYLES.map((style): ConformanceCase<P, O> => ({
    name: `predictions are in range on a ${style} stream`,
    run(create) {
      const p = create();
      const next = outcomes(style, p);
      for (let t = 0; t < steps; t++) {
        subject.check(p.predictOne(), p);
        p.learnOne(next(t));
      }
      subject.check(p.predictOne(), p);
    },
  }));
  const others: ConformanceCase<P, O>[] = [
    {
      name: 'asking twice gives the same answer and changes nothing',
      run(create) {
        const [asked, silent] = [create(), create()];
        const next = outcomes('real', asked);
        for (let t = 0; t < steps; t++) {
          same(asked.predictOne(), asked.predictOne(), `the second answer at step ${t}`);
          const outcome = next(t);
          asked.learnOne(outcome);
          silent.learnOne(outcome);
        }
        same(asked.predictOne(), silent.predictOne(), 'the answer of one that was never asked before');
      },
    },
    {
      name: 'two made alike behave alike',
      run(create) {
        const [a, b] = [create(), create()];
        const next = outcomes('fair', a);
        for (let t = 0; t < steps; t++) {
          same(a.predictOne(), b.predictOne(), `step ${t}`);
          const outcome = next(t);
          a.learnOne(outcome);
          b.learnOne(outcome);
        }
      },
    },
    {
      name: 'a restored state goes on as if never interrupted',
      run(create) {
        const whole = create();
        const next = outcomes('switching', whole);
        let resumed = create();
        for (let t = 0; t < steps; t++) {
          if (t % 37 === 20) {
            const stored = JSON.parse(JSON.stringify(resumed.state())) as PredictorState;
            resumed = create().restore(stored);
          }
          same(whole.predictOne(), resumed.predictOne(), `step ${t}`);
          const outcome = next(t);
          whole.learnOne(outcome);
          resumed.learnOne(outcome);
        }
      },
    },
    {
      name: 'a bad outcome is refused and leaves no trace',
      run(create) {
        const p = create();
        const next = outcomes('fair', p);
        for (let t = 0; t < 20; t++) p.learnOne(next(t));
        const before = JSON.stringify(p.state());
        for (const bad of subject.bad(p)) {
          refused(() => p.learnOne(bad), ['bad_outcome', 'bad_parameter'], 'a bad outcome');
          demand(JSON.stringify(p.state()) === before, 'Expected the state to stay as it was after a bad outcome.');
        }
      },
    },
    {
      name: 'a foreign or damaged state is refused and leaves no trace',
      run(create) {
        const p = create();
        const next = outcomes('fair', p);
        for (let t = 0; t < 20; t++) p.learnOne(next(t));
        const good = p.state();
        const before = JSON.stringify(good);
        const bad: PredictorState[] = [{ ...good, kind: 'other' }, damaged(good)];
        for (const state of bad) {
          refused(() => p.restore(state), ['bad_state', 'bad_parameter'], 'a bad state');
          demand(JSON.stringify(p.state()) === before, 'Expected the state to stay as it was after a bad one.');
        }
      },
    },
  ];
  return [...inRange, ...others];
}

/** The last number that the state holds becomes none. */
function damaged(state: PredictorState): PredictorState {
  const { parts = [] } = state;
  const last = parts.at(-1);
  return last === undefined
    ? { ...state, values: [...state.values.slice(0, -1), NaN] }
    : { ...state, parts: [...parts.slice(0, -1), damaged(last)] };
}

function payoff(style: Style, t: number, rng: Rng, predict: () => number): number {
  switch (style) {
    case 'fair':
      return rng.rademacher();
    case 'constant':
      return 1;
    case 'alternating':
      return t % 2 === 0 ? 1 : -1;
    case 'switching':
      return Math.floor(t / 32) % 2 === 0 ? 1 : -1;
    case 'real':
      return 2 * rng.uniform() - 1;
    case 'hostile':
      return predict() > 0 ? -1 : 1;
    case 'zero':
      return 0;
    default:
      return style satisfies never;
  }
}

function same(a: unknown, b: unknown, what: string): void {
  const [x, y] = [a, b].map((v) => (v instanceof Float64Array ? v.join(', ') : String(v)));
  demand(x === y, `Expected the same prediction for ${what}, got ${x} and ${y}.`);
}

function refused(action: () => unknown, codes: readonly string[], what: string): void {
  try {
    action();
  } catch (error) {
    demand(
      CairnError.isInstance(error) && codes.includes(error.code) && error.hint !== undefined,
      `Expected a CairnError with code ${codes.join(' or ')} and a hint for ${what}, got ${String(error)}.`,
    );
    return;
  }
  demand(false, `Expected ${what} to be refused, got no error.`);
}

function demand(right: boolean, message: string): void {
  if (!right) throw new CairnError('not_conformant', message, { hint: 'Mend the predictor.' });
}
