// The routing page without models: what to write into the configuration, ready to copy.
import type { JSX } from 'preact';

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

export function Setup(): JSX.Element {
  return (
    <div class="routing">
      <h1>Routing</h1>
      <section class="card" aria-label="Set up">
        <h2>No models yet</h2>
        <p>
          This server is also a gateway for language models: it speaks the OpenAI API, sends each request to the
          cheapest model that is good enough, and says why. Write the models you have into <code>cairn.json</code> in
          the data directory:
        </p>
        <pre class="code">{EXAMPLE}</pre>
        <p>
          Then point any OpenAI client at <code>{`${location.origin}/v1`}</code> and ask <code>cairn/auto</code>. Keys
          stay in the environment; the file is read again when it changes.
        </p>
      </section>
    </div>
  );
}
