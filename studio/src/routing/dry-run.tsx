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
          <Arms arms={answer.arms} chosen={answer.arms[0]?.id ?? ''} />
        </>
      )}
    </section>
  );
}
