// A provider that treats its thinking budget as a hint: it sometimes thinks several times as long. A limit on spending that counts
// the budget as the cost is broken; one that reserves the worst case and settles what usage says is kept.
import { outputCap } from 'cairn/route';
import { Gateway } from 'cairn/serve';
import { Rng } from 'cairn/tensor';
import type { LabOptions } from '../report.ts';
import { mean, type Part } from './part.ts';

const BUDGET = 512;
const ANSWER = 200;
const PRICE = 10 / 1e6;
const LIMIT = 1;

/** Tokens that a call really takes: around the budget, with a long tail, under the hard cap. */
function tokensOf(rng: Rng, cap: number): number {
  const thought = BUDGET * Math.exp(0.4 + 0.7 * rng.normal());
  return Math.min(cap, Math.round(thought + ANSWER * (0.5 + rng.uniform())));
}

export async function softBudget({ seed, scale }: LabOptions): Promise<Part> {
  const runs = scale === 'full' ? 100 : 20;
  const cap = outputCap(8 * BUDGET, ANSWER);
  const assumedCost = (BUDGET + ANSWER) * PRICE;
  const assumed: number[] = [];
  const settled: number[] = [];
  const calls: number[] = [];
  for (let i = 0; i < runs; i++) {
    const rng = new Rng(seed).fork('soft-budget').fork(i);
    let counted = 0;
    let spent = 0;
    while (counted + assumedCost <= LIMIT) {
      counted += assumedCost;
      spent += tokensOf(rng, cap) * PRICE;
    }
    assumed.push(spent);
    const budgets = [{ scope: 'server', unit: 'usd', window: 'month', limit: LIMIT }];
    const gateway = await Gateway.open({ config: { budgets }, now: () => 0 });
    const nobody = { key: undefined, session: undefined };
    let real = 0;
    let n = 0;
    try {
      for (;;) {
        const worst = { usd: cap * PRICE, tokens: cap, requests: 1 };
        const hold = await gateway.ledger.reserve(gateway.config, nobody, worst);
        const tokens = tokensOf(rng, cap);
        real += tokens * PRICE;
        n++;
        await hold.settle({ usd: tokens * PRICE, tokens, requests: 1 });
      }
    } catch (error) {
      if ((error as { code?: string }).code !== 'budget_exceeded') throw error;
    } finally {
      await gateway.close();
    }
    settled.push(real);
    calls.push(n);
  }
  const kept = Math.max(...settled);
  const broken = assumed.filter((usd) => usd > LIMIT).length;
  return {
    claims: [
      {
        id: 'soft-budget',
        says: 'With a provider that overspends its thinking budget, a limit that reserves the worst case and settles what was used is kept, where one that counts the budget as the cost is broken.',
        kind: 'measured',
        value: kept,
        baseline: mean(assumed),
        target: `no run of ${runs} above ${LIMIT} USD; counting the budget breaks it in every run`,
        holds: kept <= LIMIT + 1e-9 && broken === runs,
      },
      {
        id: 'little-is-left',
        says: 'What the reservation leaves unspent is no more than one worst call.',
        kind: 'bound',
        value: LIMIT - Math.min(...settled),
        baseline: cap * PRICE,
        target: 'largest rest <= cost of a call at its cap',
        holds: LIMIT - Math.min(...settled) <= cap * PRICE + 1e-9,
      },
    ],
    tables: [
      {
        title: `Spending under a limit of ${LIMIT} USD, mean over ${runs} runs`,
        columns: ['accounting', 'mean USD', 'largest USD', 'runs above the limit'],
        rows: [
          ['the budget is the cost', mean(assumed), Math.max(...assumed), broken],
          ['reserved, then read back', mean(settled), kept, settled.filter((usd) => usd > LIMIT + 1e-9).length],
        ],
      },
    ],
  };
}
