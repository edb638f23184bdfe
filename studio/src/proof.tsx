// The proof, step by step: every deduction with its reason, the cells it speaks of marked on the board, and the checker's word.
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { EventView } from '../../src/mind/boards/view.ts';
import { count } from './format.ts';

interface ProofProps {
  readonly event: EventView;
  /** The step at hand; null: none. */
  readonly step: number | null;
  readonly onStep: (step: number | null) => void;
}

export function Proof({ event, step, onStep }: ProofProps): JSX.Element | null {
  const list = useRef<HTMLOListElement>(null);
  const certificate = event.board?.certificate ?? null;
  const steps = event.proof;
  useEffect(() => {
    const item = step === null ? null : list.current?.children[step];
    if (!(item instanceof HTMLElement) || !list.current) return;
    const { offsetTop, offsetHeight } = item;
    const { scrollTop, clientHeight } = list.current;
    if (offsetTop < scrollTop || offsetTop + offsetHeight > scrollTop + clientHeight)
      list.current.scrollTop = offsetTop - clientHeight / 2;
  }, [step]);
  if (certificate === null) return null;
  const go = (to: number): void => onStep(Math.max(0, Math.min(steps.length - 1, to)));
  return (
    <section class="proof card" aria-label="Proof">
      <header class="inspector-head">
        <h2>Proof</h2>
        <span class={`verdict ${certificate.checked ? 'is-proved' : 'is-withheld'}`}>
          {certificate.checked ? 'checked independently' : 'not checked'}
        </span>
      </header>
      <p>{certificate.says}</p>
      {certificate.kind === 'unique' && (
        <p class="quiet">
          Search tree of {count(certificate.size)} {certificate.size === 1 ? 'node: no case had to be tried' : 'nodes'};
          every case is covered, exactly one holds.
        </p>
      )}
      {steps.length > 0 && (
        <>
          <div class="stepper" role="group" aria-label="Walk through the proof">
            <button type="button" onClick={() => go((step ?? 0) - 1)} disabled={step === null || step === 0}>
              Back
            </button>
            <button type="button" onClick={() => go(step === null ? 0 : step + 1)} disabled={step === steps.length - 1}>
              {step === null ? 'Walk through' : 'Next'}
            </button>
            <span class="quiet" aria-live="polite">
              {step === null
                ? `${count(steps.length)} steps`
                : `${step + 1} of ${steps.length}: ${steps[step]?.says ?? ''}`}
            </span>
            {step !== null && (
              <button type="button" class="plain" onClick={() => onStep(null)}>
                Done
              </button>
            )}
          </div>
          <ol class="steps" ref={list} tabIndex={0} aria-label="All steps">
            {steps.map((s, i) => (
              <li key={i} class={i === step ? 'is-current' : ''}>
                <button type="button" class="step" onClick={() => onStep(i === step ? null : i)}>
                  {s.says}
                </button>
              </li>
            ))}
          </ol>
        </>
      )}
    </section>
  );
}
