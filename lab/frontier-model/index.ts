// Mechanisms that the Gemini 2.5 report (arXiv 2507.06261) describes, on local solvers and tiny networks: thinking budgets as arms of
// a router, budgets that are hints and not limits, distillation from the k largest teacher probabilities, thinking within a budget,
// replay that finds silent corruption, a sparse mixture of experts, keys that are found in long texts, pictures and sounds among the
// words. Not that model, and not its figures.
import { type LabOptions, type LabReport, runParts } from '../report.ts';
import { budgetArms } from './arms.ts';
import { distillation } from './distillation.ts';
import { mixture } from './experts.ts';
import { needle } from './needle/needle.ts';
import { replay } from './replay.ts';
import { senses } from './senses.ts';
import { softBudget } from './soft-budget.ts';
import { thinking } from './thinking.ts';

/** `ci` takes less than a minute on two cores. */
export async function run(options: LabOptions): Promise<LabReport> {
  return runParts(
    options,
    {
      slug: 'frontier-model',
      paper: {
        title: 'Gemini 2.5: Pushing the Frontier with Advanced Reasoning, Multimodality, Long Context',
        arxiv: '2507.06261',
      },
    },
    [
      ['solvers with budgets as arms', () => budgetArms(options)],
      ['budgets that are hints', () => softBudget(options)],
      ['distillation from few probabilities', () => distillation(options)],
      ['thinking within a budget', () => thinking(options)],
      ['deterministic replay', () => replay(options)],
      ['a sparse mixture of experts', () => mixture(options)],
      ['keys in long texts', () => needle(options)],
      ['text, pictures and sounds in one model', () => senses(options)],
    ],
  );
}
