// The stream's controls: pause and go on, one board at a time, how fast; and whether the line to the server is up.
import type { JSX } from 'preact';
import { api } from './api.ts';
import { complain, connection, follow, held, remember, show, spoken, stream } from './state.ts';

const SPEEDS: readonly (readonly [speed: number | 'max', label: string, name: string])[] = [
  [0.5, '½', 'half speed'],
  [1, '1', 'one board in two seconds'],
  [4, '4', 'four times as fast'],
  ['max', 'max', 'as fast as this machine can'],
];

export function Controls(): JSX.Element {
  const state = stream.value;
  const paused = state?.paused ?? false;
  const toggle = async (): Promise<void> => {
    stream.value = paused ? await api.resume() : await api.pause();
    spoken.value = paused ? 'Boards go on.' : 'Paused.';
  };
  const step = async (): Promise<void> => {
    const done = await api.step();
    stream.value = done.state;
    remember([done.board]);
    held.value = false;
    await show(done.board, true);
    spoken.value = `Board ${done.board.ordinal} ${done.board.status}.`;
  };
  const pace = async (speed: number | 'max'): Promise<void> => {
    stream.value = await api.speed(speed);
  };
  return (
    <div class="controls" role="group" aria-label="Stream of boards">
      <Status />
      <button type="button" class="toggle" disabled={state === null} onClick={() => void toggle().catch(complain)}>
        <svg viewBox="0 0 16 16" aria-hidden="true">
          {paused ? <path d="M4.5 2.5l9 5.5-9 5.5z" /> : <path d="M4 3h3v10H4zM9 3h3v10H9z" />}
        </svg>
        <span class="toggle-text">{paused ? 'Go on' : 'Pause'}</span>
      </button>
      <button type="button" disabled={state === null || !paused} onClick={() => void step().catch(complain)}>
        Step
      </button>
      <fieldset class="speeds" disabled={state === null}>
        <legend class="visually-hidden">Speed</legend>
        {SPEEDS.map(([speed, label, name]) => (
          <label key={label} title={name}>
            <input
              type="radio"
              name="speed"
              class="visually-hidden"
              aria-label={name}
              checked={(state?.speed ?? 1) === speed}
              onChange={() => void pace(speed).catch(complain)}
            />
            <span aria-hidden="true">{label === 'max' ? label : `${label}×`}</span>
          </label>
        ))}
      </fieldset>
    </div>
  );
}

function Status(): JSX.Element {
  const state = stream.value;
  const [kind, text] =
    connection.value === 'lost'
      ? ['is-lost', 'reconnecting']
      : state === null
        ? ['is-lost', 'connecting']
        : state.fault
          ? ['is-lost', 'stopped']
          : state.paused
            ? ['is-paused', 'paused']
            : ['is-live', 'live'];
  return (
    <span class={`status ${kind}`} title={state?.fault ? `${state.fault.message} ${state.fault.hint ?? ''}` : ''}>
      {text}
    </span>
  );
}

/** Says that newer boards wait, and brings them back. */
export function FollowButton(): JSX.Element | null {
  if (!held.value) return null;
  return (
    <button type="button" class="follow" onClick={follow}>
      Back to the stream
    </button>
  );
}
