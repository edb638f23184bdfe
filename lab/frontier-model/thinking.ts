// Thinking within a budget: a tiny network adds eight digits modulo ten, writing running sums before its answer; the budget is
// enforced by the generator.
import { createDecoder, generate } from 'cairn/nn';
import { createOrtExecutor, Rng } from 'cairn/tensor';
import type { LabOptions, Part } from '../report.ts';
import { answerOf, CLOSE, COUNT, draw, OPEN, teachUntilRight } from './sums.ts';
import { wilson } from './wilson.ts';

const BUDGETS = [0, 2, 4, 6, 7, 8];

interface Row {
  readonly budget: number;
  readonly right: number;
  readonly share: number;
  readonly low: number;
  readonly high: number;
  /** Means over problems, and how often the budget closed the thought. */
  readonly thought: number;
  readonly closing: number;
  readonly forced: number;
}

export async function thinking({ seed, scale, log, signal, plot }: LabOptions): Promise<Part> {
  const rng = new Rng(seed).fork('thinking');
  const steps = scale === 'full' ? 4000 : 1200;
  const problems = scale === 'full' ? 500 : 120;
  await using executor = await createOrtExecutor();
  const model = await teachUntilRight(rng, steps, executor, { log, signal });
  await using decoder = createDecoder(model);
  const unseen = rng.fork('unseen');
  const asked = Array.from({ length: problems }, () => draw(unseen));
  let broken = 0;
  const rows: Row[] = [];
  for (const budget of BUDGETS) {
    let right = 0;
    let [thought, forced, closing] = [0, 0, 0];
    for (const problem of asked) {
      signal.throwIfAborted();
      const run = generate(model, problem.digits.join(''), {
        maxTokens: budget + 3,
        decoder,
        thinking: {
          budget,
          open: OPEN,
          close: CLOSE,
          onEnd: (end) => {
            thought += end.tokens;
            if (end.reason === 'budget') forced++;
            closing += end.closeProbability;
            if (end.tokens > budget) broken++;
          },
        },
      });
      const { text, usage } = await run.end();
      if (usage.thinking > budget + 2 || usage.input !== COUNT) broken++;
      if (text[0] === String(answerOf(problem))) right++;
    }
    const [low, high] = wilson(right, problems);
    log(`budget ${budget}: ${right} of ${problems} right`);
    rows.push({
      budget,
      right,
      share: right / problems,
      low,
      high,
      thought: thought / problems,
      forced,
      closing: closing / problems,
    });
  }
  // A step down counts when intervals of 99.9 % do not touch: between budgets that are all guesses, of some pairs in a hundred runs
  // those of 95 % would not.
  const wide = rows.map((r) => wilson(r.right, problems, 3.29));
  const falls = wide.slice(1).filter(([, high], i) => high < wide[i]![0]).length;
  const [none, whole] = [rows[0]!, rows.at(-1)!];
  plot('thinking', {
    title: `Right answers to sums of ${COUNT} digits, by thinking budget`,
    x: { label: 'budget, tokens' },
    y: { label: 'share that is right' },
    curves: [
      {
        name: 'accuracy, 95 % interval',
        points: rows.map((r) => [r.budget, r.share] as const),
        bars: rows.map((r) => (r.high - r.low) / 2),
      },
      {
        name: 'chance',
        points: [
          [0, 0.1],
          [COUNT, 0.1],
        ],
        dashed: true,
      },
    ],
  });
  return {
    claims: [
      {
        id: 'thinking-budget',
        says: `With a larger thinking budget a network of two layers adds ${COUNT} digits modulo ten more reliably: from little better than guessing to nearly always.`,
        kind: 'measured',
        value: whole.share,
        baseline: none.share,
        target: `no fall beyond 99.9 % intervals; <= 0.30 at budget 0, >= 0.95 at ${COUNT} (${problems} unseen problems)`,
        holds: falls === 0 && none.share <= 0.3 && whole.share >= 0.95,
      },
      {
        id: 'budget-exact',
        says: 'No thought is longer than its budget, and the counts of what was read, thought and answered add up.',
        kind: 'identity',
        value: broken,
        target: `0 of ${problems * BUDGETS.length} generations`,
        holds: broken === 0,
      },
    ],
    tables: [
      {
        title: `Sums of ${COUNT} digits modulo ten, ${steps} steps of training; chance is 0.1`,
        columns: [
          'budget',
          'right',
          'low',
          'high',
          'tokens thought',
          'closed by the budget',
          'probability of the close',
        ],
        rows: rows.map((r) => [r.budget, r.share, r.low, r.high, r.thought, r.forced, r.closing]),
      },
    ],
  };
}
