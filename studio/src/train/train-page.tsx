// A small language model that is trained in this browser while one watches: its loss beside that of earlier runs, what it writes,
// and its files. A model that was trained in Node goes on here, and the other way round.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { complain } from '../state.ts';
import { LossChart, type Run } from './loss-chart.tsx';
import type { FromThread, ModelFiles, ToThread } from './protocol.ts';
import { SAMPLE_TEXT } from './sample-text.ts';

/** What can be chosen, as keys of config.json. */
const MODELS = {
  altup: { name: 'AltUp, two blocks', keys: { altup_num_inputs: 2 } },
  dense: { name: 'dense', keys: {} },
} as const;
type ModelName = keyof typeof MODELS;

type Phase = 'idle' | 'compiling' | 'training';

export function TrainPage(): JSX.Element {
  const [text, setText] = useState(SAMPLE_TEXT);
  const [choice, setChoice] = useState<ModelName>('altup');
  const [backend, setBackend] = useState<'wasm' | 'webgpu'>('wasm');
  const [files, setFiles] = useState<ModelFiles | null>(null);
  const [phase, setPhase] = useState<Phase>('idle');
  const [runs, setRuns] = useState<readonly Run[]>([]);
  const [facts, setFacts] = useState('');
  const [written, setWritten] = useState('');
  const [fault, setFault] = useState('');
  const thread = useRef<Worker | null>(null);
  const send = (message: ToThread): void => thread.current?.postMessage(message);

  useEffect(() => {
    document.title = 'Train · Cairn';
    const worker = new Worker('/assets/train-thread.js', { type: 'module' });
    worker.addEventListener('message', ({ data }: MessageEvent<FromThread>) => hear(data));
    worker.addEventListener('error', (event) => {
      setPhase('idle');
      setFault(event.message || 'The thread that trains could not start.');
    });
    thread.current = worker;
    return () => worker.terminate();
  }, []);

  const amend = (change: (run: Run) => Run): void =>
    setRuns((all) => all.map((run, i) => (i === all.length - 1 ? change(run) : run)));
  const hear = (message: FromThread): void => {
    switch (message.kind) {
      case 'ready':
        setPhase('training');
        setFacts(
          `${message.parameters.toLocaleString()} parameters, ${message.executor}, compiled in ${message.seconds.toFixed(1)} s`,
        );
        return;
      case 'step':
        return amend((run) => ({
          ...run,
          tokensPerSecond: message.tokensPerSecond,
          losses: [...run.losses, [message.step, message.smoothed]],
          ...(message.valid === undefined ? {} : { valid: [...run.valid, [message.step, message.valid]] }),
        }));
      case 'end':
        setPhase('idle');
        amend((run) => ({ ...run, valid: [...run.valid, [message.step, message.valid]] }));
        return send({ kind: 'write', prompt: '' });
      case 'text':
        return setWritten((now) => now + message.text);
      case 'saved':
        void download(message.files).catch(complain);
        return;
      case 'fault':
        setPhase('idle');
        return setFault([message.message, message.hint].filter(Boolean).join(' '));
      default:
        return message satisfies never;
    }
  };

  const start = (form: HTMLFormElement): void => {
    const data = new FormData(form);
    setFault('');
    setWritten('');
    setFacts('Compiling …');
    setPhase('compiling');
    const seed = Number(data.get('seed'));
    const name = files === null ? `${MODELS[choice].name}, seed ${seed}` : `continued, seed ${seed}`;
    setRuns((all) => [...all, { name, losses: [], valid: [], tokensPerSecond: 0 }]);
    send({
      kind: 'start',
      text,
      model: MODELS[choice].keys,
      steps: Number(data.get('steps')),
      seed,
      backend,
      ...(files === null ? {} : { from: files }),
    });
  };
  const idle = phase === 'idle';
  const run = runs.at(-1);
  return (
    <div class="train">
      <h1>Train</h1>
      <p class="quiet">
        A character model learns your text in this browser, by the same programs that Node runs. Nothing is sent
        anywhere.
      </p>
      <div class="train-columns">
        <section class="card" aria-label="Set up">
          <form
            onSubmit={(event) => {
              event.preventDefault();
              start(event.currentTarget);
            }}
          >
            <label>
              Text to learn ({text.length.toLocaleString()} characters; the last tenth is only measured)
              <textarea rows={8} value={text} spellcheck={false} onInput={(e) => setText(e.currentTarget.value)} />
            </label>
            <div class="fields">
              <label>
                Or a text file
                <input
                  type="file"
                  accept=".txt,.md,text/*"
                  onChange={(e) => void e.currentTarget.files?.[0]?.text().then(setText, complain)}
                />
              </label>
              <label>
                Go on from a model (config, weights, tokenizer)
                <input
                  type="file"
                  multiple
                  accept=".json,.safetensors"
                  onChange={(e) => void readFiles(e.currentTarget.files).then(setFiles, complain)}
                />
              </label>
              <label>
                Model
                <select
                  value={choice}
                  disabled={files !== null}
                  onChange={(e) => setChoice(e.currentTarget.value as ModelName)}
                >
                  {Object.entries(MODELS).map(([key, { name }]) => (
                    <option key={key} value={key}>
                      {name}
                    </option>
                  ))}
                </select>
              </label>
              <label>
                Runs on
                <select
                  value={backend}
                  onChange={(e) => setBackend(e.currentTarget.value === 'webgpu' ? 'webgpu' : 'wasm')}
                >
                  <option value="wasm">WebAssembly</option>
                  <option value="webgpu" disabled={!('gpu' in navigator)}>
                    WebGPU{'gpu' in navigator ? '' : ' (not in this browser)'}
                  </option>
                </select>
              </label>
              <label>
                Steps of 1,024 characters
                <input name="steps" type="number" min={1} max={100_000} defaultValue="400" />
              </label>
              <label>
                Seed
                <input name="seed" type="number" min={0} defaultValue="7" />
              </label>
            </div>
            <p>
              <button type="submit" disabled={!idle}>
                Train
              </button>{' '}
              <button type="button" disabled={phase !== 'training'} onClick={() => send({ kind: 'stop' })}>
                Stop
              </button>{' '}
              <button type="button" disabled={!idle || run === undefined} onClick={() => send({ kind: 'save' })}>
                Save the model
              </button>
            </p>
            {fault !== '' && (
              <p class="fault" role="alert">
                {fault}
              </p>
            )}
          </form>
        </section>
        <div>
          <section class="card" aria-label="Loss">
            <h2>Loss</h2>
            <p class="quiet" role="status">
              {facts || 'Nothing has been trained yet.'}
              {run && run.tokensPerSecond > 0 && `; ${Math.round(run.tokensPerSecond).toLocaleString()} characters/s`}
            </p>
            <LossChart runs={runs} />
          </section>
          <section class="card" aria-label="What it writes">
            <h2>What it writes</h2>
            <form
              class="dry-run"
              onSubmit={(event) => {
                event.preventDefault();
                setWritten('');
                send({ kind: 'write', prompt: String(new FormData(event.currentTarget).get('prompt') ?? '') });
              }}
            >
              <label>
                <span class="visually-hidden">How it begins</span>
                <input name="prompt" autocomplete="off" placeholder="How it begins" />
              </label>
              <button type="submit" disabled={run === undefined || phase === 'compiling'}>
                Write on
              </button>
            </form>
            <pre class="written">{written}</pre>
          </section>
        </div>
      </div>
    </div>
  );
}

async function readFiles(list: FileList | null): Promise<ModelFiles | null> {
  if (list === null || list.length === 0) return null;
  const entries = await Promise.all([...list].map(async (file) => [file.name, await file.arrayBuffer()] as const));
  return Object.fromEntries(entries);
}

/** One download a file, into the browser's folder. */
async function download(files: ModelFiles): Promise<void> {
  for (const [name, bytes] of Object.entries(files)) {
    const url = URL.createObjectURL(new Blob([bytes]));
    const link = Object.assign(document.createElement('a'), { href: url, download: name });
    link.click();
    // Browsers take downloads in a row only with a pause between them.
    await new Promise((resolve) => setTimeout(resolve, 150));
    URL.revokeObjectURL(url);
  }
}
