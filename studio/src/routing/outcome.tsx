// How an answer turned out: two thumbs and a way back; what outcomes have taught, and what is promised.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { percent } from '../format.ts';
import { complain } from '../state.ts';
import { addDecisions, type Decision, type LearningView, type OutcomesOverTime, routingApi } from './data.ts';
import { OverTime } from './over-time.tsx';

export function Thumbs({ decision }: { readonly decision: Decision }): JSX.Element | null {
  const [why, setWhy] = useState('');
  if (decision.status !== 200) return <p class="quiet">It was not answered, which says nothing about a model.</p>;
  const tell = (outcome: number): void => {
    const { outcome: before, ...rest } = decision;
    const done = before === outcome ? routingApi.untell(decision.id) : routingApi.tell(decision.id, outcome);
    done.then((answer) => {
      addDecisions([before === outcome ? rest : { ...rest, outcome }]);
      setWhy('why' in answer ? (answer.why ?? '') : '');
    }, complain);
  };
  return (
    <p class="thumbs" role="group" aria-label="How the answer was">
      <button type="button" aria-pressed={decision.outcome === 1} onClick={() => tell(1)}>
        Good answer
      </button>{' '}
      <button type="button" aria-pressed={decision.outcome === 0} onClick={() => tell(0)}>
        Bad answer
      </button>{' '}
      <span class="quiet">{why}</span>
    </p>
  );
}

export function Learned({
  learning,
  over,
}: {
  readonly learning: LearningView;
  readonly over: OutcomesOverTime | null;
}): JSX.Element {
  return (
    <section class="card" aria-label="Learning">
      <h2>Learning from outcomes</h2>
      <p>
        {learning.outcomes === 0
          ? 'No outcome was told yet.'
          : `${learning.outcomes} outcomes count; ${percent(learning.learnedWeight)} of the weight is on what they say.`}
      </p>
      <p class="quiet">{learning.guarantee.says}</p>
      {over && <OverTime over={over} />}
    </section>
  );
}
