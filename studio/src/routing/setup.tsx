// The routing page without models: one provider and one model in a form, or what to write into the configuration.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ApiError } from '../api.ts';
import { complain } from '../state.ts';
import { Field, modelOf } from './add-model.tsx';
import { ConfigEditor } from './config-editor.tsx';
import { routingApi } from './data.ts';

const EXAMPLE = `{
  "providers": [
    { "id": "openai", "kind": "openai", "baseUrl": "https://api.openai.com/v1", "apiKeyEnv": "OPENAI_API_KEY" },
    { "id": "local", "kind": "openai", "baseUrl": "http://127.0.0.1:11434/v1" }
  ],
  "models": [
    { "id": "small", "provider": "local", "model": "qwen2.5:7b" },
    { "id": "large", "provider": "openai", "model": "gpt-4o", "priceIn": 2.5, "priceOut": 10 }
  ],
  "routing": { "reference": "large" }
}`;

const KINDS = {
  openai: {
    label: 'OpenAI-compatible',
    baseUrl: 'https://api.openai.com/v1',
    key: 'OPENAI_API_KEY',
    model: 'gpt-4o-mini',
  },
  gemini: {
    label: 'Gemini',
    baseUrl: 'https://generativelanguage.googleapis.com',
    key: 'GEMINI_API_KEY',
    model: 'gemini-2.5-flash',
  },
  local: { label: 'A server on this machine', baseUrl: 'http://127.0.0.1:11434/v1', key: '', model: 'qwen2.5:7b' },
} as const;
type Kind = keyof typeof KINDS;

export function Setup({ onChange }: { readonly onChange: () => void }): JSX.Element {
  return (
    <div class="routing">
      <h1>Routing</h1>
      <section class="card" aria-label="Set up">
        <h2>No models yet</h2>
        <p>
          This server is also a gateway for language models: it speaks the OpenAI API, sends each request to the
          cheapest model that is good enough, and says why. Name a first model; more can follow.
        </p>
        <FirstModel onChange={onChange} />
        <p>
          Then point any OpenAI client at <code>{`${location.origin}/v1`}</code> and ask <code>cairn/auto</code>. Keys
          stay in the environment of the server.
        </p>
        <details>
          <summary>Or write it yourself</summary>
          <p class="quiet">
            Into <code>cairn.json</code> in the data directory, which is read again when it changes:
          </p>
          <pre class="code">{EXAMPLE}</pre>
        </details>
      </section>
      <ConfigEditor onChange={onChange} />
    </div>
  );
}

function FirstModel({ onChange }: { readonly onChange: () => void }): JSX.Element {
  const [kind, setKind] = useState<Kind>('openai');
  const [fault, setFault] = useState('');
  const usual = KINDS[kind];
  const save = async (form: FormData): Promise<void> => {
    setFault('');
    const text = (name: string): string => String(form.get(name) ?? '').trim();
    const key = text('apiKeyEnv');
    const provider = {
      id: kind,
      kind: kind === 'gemini' ? 'gemini' : 'openai',
      baseUrl: text('baseUrl') || usual.baseUrl,
      ...(key === '' ? {} : { apiKeyEnv: key }),
    };
    form.set('provider', kind);
    try {
      const { version, config } = await routingApi.file();
      const now = config as { providers?: { id?: string }[]; models?: object[] };
      const others = (now.providers ?? []).filter((p) => p.id !== kind);
      await routingApi.write(version, {
        ...now,
        providers: [...others, provider],
        models: [...(now.models ?? []), modelOf(form)],
      });
      onChange();
    } catch (error) {
      if (error instanceof ApiError) setFault([error.message, error.hint].filter(Boolean).join(' '));
      else complain(error);
    }
  };
  return (
    <form
      class="fields"
      onSubmit={(event) => {
        event.preventDefault();
        void save(new FormData(event.currentTarget));
      }}
    >
      <label>
        Kind of server
        <select name="kind" value={kind} onChange={(event) => setKind(event.currentTarget.value as Kind)}>
          {Object.entries(KINDS).map(([value, { label }]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <Field key={`${kind}-url`} name="baseUrl" label="Address" placeholder={usual.baseUrl} />
      <Field key={`${kind}-key`} name="apiKeyEnv" label="Environment variable with its key" value={usual.key} />
      <Field key={`${kind}-model`} name="model" label="Model" placeholder={usual.model} required />
      <Field name="priceIn" label="$ per million tokens in" number />
      <Field name="priceOut" label="$ per million tokens out" number />
      <p class="wide">
        <button type="submit">Save</button>
      </p>
      {fault !== '' && (
        <p class="wide fault" role="alert">
          {fault}
        </p>
      )}
    </form>
  );
}
