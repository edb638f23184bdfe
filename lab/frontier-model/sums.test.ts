// The network that adds digits learns from a start where one place of the digits used to stay unfound, is judged as it generates,
// and is trained again, no more often than agreed, while it is wrong.
import { generate, type LanguageModel } from 'cairn/nn';
import { createOrtExecutor, Rng } from 'cairn/tensor';
import { expect, test } from 'vitest';
import { answerOf, ATTEMPTS, draw, type Problem, rightShare, teach, teachUntilRight } from './sums.ts';

const signal = new AbortController().signal;
const problemsOf = (count: number, rng: Rng): Problem[] => Array.from({ length: count }, () => draw(rng));

/** Share of the problems for which the model writes every sum and the answer. */
async function generated(model: LanguageModel, problems: readonly Problem[]): Promise<number> {
  let right = 0;
  for (const problem of problems) {
    const text = await generate(model, `${problem.digits.join('')}<`, { maxTokens: problem.sums.length + 2 }).text();
    if (text === `${problem.sums.join('')}>${answerOf(problem)}`) right++;
  }
  return right / problems.length;
}

test('learns where it used to fail, and the share that is right is the one of what it generates', async () => {
  await using executor = await createOrtExecutor();
  const rng = new Rng(1847).fork('thinking');
  const problems = problemsOf(40, rng.fork('asked'));
  for (const [steps, least] of [
    [100, 0],
    [500, 0.9],
  ] as const) {
    const model = await teach(rng, steps, executor, signal);
    const share = await rightShare(problems, model.state, executor);
    expect(share).toBe(await generated(model, problems));
    expect(share).toBeGreaterThanOrEqual(least);
  }
});

test('is trained again while held-out problems are wrong, and no more often than agreed', async () => {
  await using executor = await createOrtExecutor();
  const lines: string[] = [];
  await teachUntilRight(new Rng(3), 2, executor, { log: (line) => void lines.push(line), signal });
  expect(lines).toHaveLength(ATTEMPTS);
  expect(lines.at(-1)).toMatch(/^attempt 3: 0\.000 /);
});
