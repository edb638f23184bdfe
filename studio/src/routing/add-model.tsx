// A new model: what it is, what its profile would cost, and its profile while it is made. It is routed to when that is done.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ApiError } from '../api.ts';
import { usd } from '../format.ts';
import { complain } from '../state.ts';
import { type ModelRow, type ProfileView, routingApi } from './data.ts';

export interface AddModelProps {
  readonly providers: readonly string[];
  /** Called when the pool has changed. */
  readonly onChange: () => void;
}

export function AddModel({ providers, onChange }: AddModelProps): JSX.Element {
  const [estimate, setEstimate] = useState<ProfileView | null>(null);
  const [fault, setFault] = useState('');
  const [busy, setBusy] = useState(false);
  const send = async (form: HTMLFormElement, dryRun: boolean): Promise<void> => {
    setBusy(true);
    setFault('');
    try {
      const { profile } = await routingApi.add(modelOf(new FormData(form)), { dryRun, yes: !dryRun });
      setEstimate(dryRun ? profile : null);
      if (dryRun) return;
      form.reset();
      onChange();
    } catch (error) {
      if (error instanceof ApiError) setFault([error.message, error.hint].filter(Boolean).join(' '));
      else complain(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <details class="add-model">
      <summary>Add a model</summary>
      <form
        class="fields"
        onInput={() => setEstimate(null)}
        onSubmit={(event) => {
          event.preventDefault();
          void send(event.currentTarget, estimate === null);
        }}
      >
        <label>
          Provider
          <select name="provider" required>
            {providers.map((id) => (
              <option key={id}>{id}</option>
            ))}
          </select>
        </label>
        <Field name="model" label="The provider’s name for it" placeholder="gpt-4o-mini" required />
        <Field name="id" label="How clients name it" placeholder="the same" />
        <Field name="priceIn" label="$ per million tokens in" number />
        <Field name="priceOut" label="$ per million tokens out" number />
        <p class="wide">
          <button type="submit" disabled={busy}>
            {estimate === null ? 'What would it cost?' : 'Add it'}
          </button>{' '}
          {estimate && <span role="status">{says(estimate)}</span>}
        </p>
        {fault !== '' && (
          <p class="wide fault" role="alert">
            {fault}
          </p>
        )}
      </form>
    </details>
  );
}

export interface FieldProps {
  readonly name: string;
  readonly label: string;
  readonly placeholder?: string;
  /** A number that is not below 0. */
  readonly number?: boolean;
  readonly required?: boolean;
  readonly value?: string;
}

export function Field({
  name,
  label,
  placeholder = '',
  number = false,
  required = false,
  value = '',
}: FieldProps): JSX.Element {
  return (
    <label>
      {label}
      {number ? (
        <input name={name} type="number" min={0} step="any" />
      ) : (
        <input
          name={name}
          autocomplete="off"
          spellcheck={false}
          placeholder={placeholder}
          required={required}
          defaultValue={value}
        />
      )}
    </label>
  );
}

/** What a form says of a model, as the configuration has it. */
export function modelOf(form: FormData): Record<string, unknown> {
  const text = (name: string): string => String(form.get(name) ?? '').trim();
  const model = text('model');
  const id = text('id') || model;
  return {
    id,
    provider: text('provider'),
    ...(id === model ? {} : { model }),
    ...(text('priceIn') === '' ? {} : { priceIn: Number(text('priceIn')) }),
    ...(text('priceOut') === '' ? {} : { priceOut: Number(text('priceOut')) }),
  };
}

function says({ estimate, most, done, why }: ProfileView): string {
  if (why !== undefined) return `One small call to see that it answers. ${why}`;
  if (estimate === undefined) return 'One small call to see that it answers.';
  const kept = done > 0 ? `, ${done} of ${most} prompts were asked before` : '';
  return `A profile of up to ${estimate.calls} calls, about ${usd(estimate.usd)}${kept}.`;
}

/** The profile of a model while it runs, or how it ended. */
export function Profile({
  model,
  onChange,
}: {
  readonly model: ModelRow;
  readonly onChange: () => void;
}): JSX.Element | null {
  const { profile } = model;
  if (typeof profile !== 'object' || profile.state === 'none') return null;
  if (profile.state !== 'running') {
    const ended = { done: 'profiled', cancelled: 'profile cancelled', failed: `profile failed: ${profile.why ?? ''}` };
    return <span class="quiet"> {ended[profile.state]}</span>;
  }
  return (
    <span class="profile">
      <progress max={profile.most} value={profile.done} aria-label={`Profile of ${model.id}`} /> {profile.done} of{' '}
      {profile.most}, {usd(profile.usd)}{' '}
      <button type="button" onClick={() => void routingApi.cancel(model.id).then(onChange, complain)}>
        Stop
      </button>
    </span>
  );
}
