// Asks the router about a prompt without asking a model: nothing is spent and nothing is kept.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { percent } from '../format.ts';
import { complain } from '../state.ts';
import { type ArmView, routingApi } from './data.ts';
import { Arms } from './decision.tsx';

interface Answer {
  readonly arms: readonly ArmView[];
  readonly by: string;
  readonly cluster?: number;
  readonly clusterShare?: number;
  readonly words?: readonly { readonly word: string; readonly error: number; readonly against: number }[];
}

export function DryRun(): JSX.Element {
  const [prompt, setPrompt] = useState('');
  const [answer, setAnswer] = useState<Answer | null>(null);
  const ask = (event: Event): void => {
    event.preventDefault();
    if (prompt.trim() === '') return;
    routingApi.dryRun(prompt).then(setAnswer, complain);
  };
  return (
    <section class="card" aria-label="Try a prompt">
      <h2>Who would answer this?</h2>
      <form class="dry-run" onSubmit={ask}>
        <label>
          <span class="visually-hidden">A prompt</span>
          <textarea
            rows={2}
            value={prompt}
            placeholder="A prompt of yours"
            onInput={(e) => setPrompt(e.currentTarget.value)}
          />
        </label>
        <button type="submit">Route, do not ask</button>
      </form>
      {answer && (
        <>
          <p>
            <b>{answer.arms[0]?.id}</b>
            {answer.cluster !== undefined && ` (kind ${answer.cluster}, ${percent(answer.clusterShare ?? 0)} sure)`}
          </p>
          {answer.words !== undefined && answer.words.length > 0 && <Words words={answer.words} />}
          <Arms arms={answer.arms} chosen={answer.arms[0]?.id ?? ''} />
        </>
      )}
    </section>
  );
}

/** Which words spoke for the choice, and which for the runner-up. */
function Words({ words }: { readonly words: NonNullable<Answer['words']> }): JSX.Element {
  const list = (of: typeof words): string => of.map(({ word }) => word).join(', ');
  const [pro, contra] = [words.filter((w) => w.against < 0), words.filter((w) => w.against > 0)];
  return (
    <p class="quiet">
      {pro.length > 0 && <>Words that speak for it: {list(pro)}. </>}
      {contra.length > 0 && <>For the runner-up: {list(contra)}.</>}
    </p>
  );
}
