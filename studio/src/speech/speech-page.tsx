// Spoken digits, heard by the three sizes of one model side by side: what each has understood by now, what it still doubts, what it costs.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { complain, notice, spoken } from '../state.ts';
import { type LiveSize, Sender, type SizeCost, speechApi } from './data.ts';
import { openFile, openMicrophone, type Source } from './sources.ts';

/** Difference of the highest and the lowest sample below which sound is silent, -60 dB. */
const SILENT = 2e-3;

type State = 'idle' | 'opening' | 'listening';

export function SpeechPage(): JSX.Element {
  const [costs, setCosts] = useState<readonly SizeCost[]>([]);
  const [heard, setHeard] = useState<readonly LiveSize[]>([]);
  const [state, setState] = useState<State>('idle');
  const [level, setLevel] = useState(0);
  /** What is said of a size that heard no words, once the sound is over. */
  const [over, setOver] = useState<string | undefined>();
  const source = useRef<Source | null>(null);

  useEffect(() => {
    document.title = 'Speech · Cairn';
    speechApi.sizes().then(({ sizes }) => setCosts(sizes), complain);
    return () => source.current?.stop();
  }, []);

  const listen = async (
    open: (push: (samples: Float32Array, rate: number) => Promise<void>) => Promise<Source>,
  ): Promise<void> => {
    setState('opening');
    setHeard([]);
    setOver(undefined);
    notice.value = null;
    try {
      let sender: Promise<Sender> | undefined;
      let latest: readonly LiveSize[] = [];
      let [low, high] = [0, 0];
      const show = (sizes: readonly LiveSize[]): void => setHeard((latest = sizes));
      const opened = await open(async (samples, rate) => {
        const peak = samples.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
        setLevel(peak);
        low = samples.reduce((m, x) => Math.min(m, x), low);
        high = samples.reduce((m, x) => Math.max(m, x), high);
        sender ??= Sender.open(rate, show);
        await (await sender).push(samples);
      });
      source.current = opened;
      setState('listening');
      await opened.done;
      await (await sender)?.finish();
      const best = latest.at(-1);
      const nothing = high - low < SILENT ? 'The sound is silent.' : 'No words were heard.';
      setOver(nothing);
      spoken.value = best && best.final !== '' ? `Heard: ${best.final}` : nothing;
    } catch (error) {
      const text = refusal(error);
      if (text) notice.value = { kind: 'error', ...text };
      else complain(error);
    } finally {
      source.current?.stop();
      source.current = null;
      setState('idle');
      setLevel(0);
    }
  };
  const fromFile = (file: File | undefined): void => {
    if (file) void listen((push) => openFile(file, push));
  };

  return (
    <div class="speech">
      <h1>Spoken digits</h1>
      <section
        class="card"
        aria-label="Sound"
        onDragOver={(e) => e.preventDefault()}
        onDrop={(e) => {
          e.preventDefault();
          fromFile(e.dataTransfer?.files[0]);
        }}
      >
        <p>
          Say digits in English, one after the other, or choose a recording. One model listens at three sizes that share
          their first layers; the sound goes to the server of this page and is not kept.
        </p>
        <div class="speech-controls">
          {state === 'idle' ? (
            <button
              type="button"
              onClick={() =>
                void listen((push) => openMicrophone((samples, rate) => void push(samples, rate).catch(complain)))
              }
            >
              Listen to the microphone
            </button>
          ) : (
            <button type="button" onClick={() => source.current?.stop()} disabled={state === 'opening'}>
              Stop
            </button>
          )}
          <label class="speech-file">
            <span>or a file</span>
            <input
              type="file"
              accept="audio/*,.wav"
              disabled={state !== 'idle'}
              onChange={(e) => {
                fromFile(e.currentTarget.files?.[0]);
                e.currentTarget.value = '';
              }}
            />
          </label>
          <meter class="speech-level" min={0} max={1} value={Math.sqrt(level)} aria-label="Level" />
        </div>
      </section>
      <div class="speech-sizes" aria-busy={costs.length === 0}>
        {costs.map((cost) => (
          <SizeCard
            key={cost.size}
            cost={cost}
            largest={costs.at(-1)!}
            heard={heard.find((h) => h.size === cost.size)}
            over={over}
          />
        ))}
      </div>
    </div>
  );
}

function SizeCard({
  cost,
  largest,
  heard,
  over,
}: {
  readonly cost: SizeCost;
  readonly largest: SizeCost;
  readonly heard: LiveSize | undefined;
  readonly over: string | undefined;
}): JSX.Element {
  const share = cost.flopsPerSecond / largest.flopsPerSecond;
  return (
    <section class={`card speech-size is-${cost.size}`} aria-label={cost.size}>
      <h2>{cost.size}</h2>
      <p class="speech-text" lang="en">
        {heard?.words.map((w, i) => (
          <span key={i} title={`${w.time.toFixed(2)} s, probability ${w.probability.toFixed(2)}`}>
            {w.word}{' '}
          </span>
        ))}
        {heard?.partial && <i title="may still change">{heard.partial}</i>}
        {!heard && <span class="quiet">–</span>}
        {heard && heard.final === '' && heard.partial === '' && <span class="quiet">{over ?? 'nothing yet'}</span>}
      </p>
      <div class="speech-bar" aria-hidden="true">
        <span style={{ width: `${100 * share}%` }} />
      </div>
      <dl>
        <dt>operations</dt>
        <dd>{(cost.flopsPerSecond / 1e6).toFixed(1)} million a second of sound</dd>
        <dt>parameters</dt>
        <dd>{cost.parameters.toLocaleString('en')}</dd>
        <dt>known after</dt>
        <dd>{cost.latency.toFixed(2)} s at the earliest</dd>
        <dt>computed</dt>
        <dd>{heard && heard.time > 0 ? `${Math.round(heard.ms)} ms for ${heard.time.toFixed(1)} s` : '–'}</dd>
      </dl>
    </section>
  );
}

/** The browser's own refusals in plain words. */
function refusal(error: unknown): { text: string; hint: string } | undefined {
  if (!(error instanceof DOMException)) {
    return navigator.mediaDevices === undefined && error instanceof TypeError
      ? {
          text: 'The browser gives no microphone to this page.',
          hint: 'Open the studio on 127.0.0.1, or choose a file.',
        }
      : undefined;
  }
  switch (error.name) {
    case 'NotAllowedError':
      return { text: 'The microphone was refused.', hint: 'Allow it in the browser, or choose a file.' };
    case 'NotFoundError':
      return { text: 'There is no microphone.', hint: 'Connect one, or choose a file.' };
    case 'EncodingError':
      return { text: 'The browser cannot decode this file.', hint: 'Choose a WAV, MP3, Ogg or FLAC recording.' };
    default:
      return { text: 'The browser could not open the sound.', hint: error.message };
  }
}
