// Answers that are given again: how many are kept, what they saved, and how often one given by likeness would have been another.
import type { JSX } from 'preact';
import { bytes, count, percent, usd } from '../format.ts';
import type { KeptView } from './data.ts';

export function Kept({ kept }: { readonly kept: KeptView }): JSX.Element {
  const { exact = 0, alike = 0, check = 0, miss = 0 } = kept.counts;
  return (
    <section class="card" aria-label="Kept answers">
      <h2>
        Kept answers
        <a class="json" href="/api/cache" title="Kept answers as JSON">
          JSON
        </a>
      </h2>
      <p>
        {count(exact)} requests got the answer of the same request again
        {kept.semantic && <>, {count(alike)} that of one that is alike</>}; {count(miss + check)} were answered anew.
        That saved {usd(kept.savedUsd)}. {count(kept.entries)} answers are kept, {bytes(kept.bytes)}.
      </p>
      {kept.semantic && <FalseHits kept={kept} />}
    </section>
  );
}

function FalseHits({ kept }: { readonly kept: KeptView }): JSX.Element {
  const found = kept.falseHits;
  if (found === undefined) return <p class="quiet">By likeness: no ask was near another one yet.</p>;
  const [low, high] = found.interval;
  return (
    <p>
      {found.threshold === undefined
        ? 'Answers by likeness are not given.'
        : `Answers by likeness are given from a likeness of ${found.threshold.toFixed(3)} on.`}{' '}
      Of {count(found.checks)} checks {count(found.disagreed)} disagreed: {percent(found.rate)} false ({percent(low)} to{' '}
      {percent(high)}), at most {percent(found.limit)} are allowed.
    </p>
  );
}
