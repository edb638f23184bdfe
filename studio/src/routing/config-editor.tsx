// The configuration file: read without its secrets, checked as a whole, written when it is valid and taken over at once.
import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { ApiError } from '../api.ts';
import { complain } from '../state.ts';
import { type ConfigFile, routingApi } from './data.ts';

export function ConfigEditor({ onChange }: { readonly onChange: () => void }): JSX.Element {
  const [file, setFile] = useState<ConfigFile | null>(null);
  const [text, setText] = useState('');
  const [said, setSaid] = useState<{ readonly fault: boolean; readonly text: string } | null>(null);
  const take = (read: ConfigFile): void => {
    setFile(read);
    setText(JSON.stringify(read.config, null, 2));
  };
  const read = (): void => {
    setSaid(null);
    routingApi
      .file()
      .then(take, (error: unknown) =>
        error instanceof ApiError ? setSaid({ fault: true, text: error.message }) : complain(error),
      );
  };
  const send = async (check: boolean): Promise<void> => {
    if (file === null) return;
    try {
      const written = await routingApi.write(file.version, JSON.parse(text) as unknown, check);
      if (!check) take(written);
      setSaid({ fault: false, text: check ? 'It is valid.' : 'Saved and taken over.' });
      if (!check) onChange();
    } catch (error) {
      if (error instanceof SyntaxError) setSaid({ fault: true, text: `Expected JSON: ${error.message}` });
      else if (error instanceof ApiError)
        setSaid({ fault: true, text: [error.message, error.hint].filter(Boolean).join(' ') });
      else complain(error);
    }
  };
  return (
    <section class="card" aria-label="Configuration">
      <details onToggle={(event) => event.currentTarget.open && file === null && read()}>
        <summary>
          <h2>Configuration</h2>
        </summary>
        {file && (
          <form
            onSubmit={(event) => {
              event.preventDefault();
              void send(false);
            }}
          >
            <p class="quiet">
              <code>{file.path}</code>
              {file.exists ? '' : ', which is made when you save'}. Keys stay in the environment: name the variable as{' '}
              <code>apiKeyEnv</code>. <a href="/api/gateway/schema">All settings</a>
            </p>
            <label>
              <span class="visually-hidden">The configuration as JSON</span>
              <textarea
                class="code"
                rows={Math.min(30, Math.max(8, text.split('\n').length))}
                spellcheck={false}
                value={text}
                onInput={(event) => {
                  setText(event.currentTarget.value);
                  setSaid(null);
                }}
              />
            </label>
            <p>
              <button type="submit">Save</button>{' '}
              <button type="button" onClick={() => void send(true)}>
                Check
              </button>{' '}
              <button type="button" onClick={read}>
                Read again
              </button>
            </p>
          </form>
        )}
        {said && (
          <p class={said.fault ? 'fault' : 'quiet'} role={said.fault ? 'alert' : 'status'}>
            {said.text}
          </p>
        )}
      </details>
    </section>
  );
}
