// The studio's frame: header with the stream's controls, the page of the current path, notices, and a voice for screen readers.
import './styles/tokens.css';
import './styles/frame.css';
import './styles/board.css';
import './styles/panels.css';
import './styles/details.css';
import './styles/routing.css';
import './styles/memory.css';
import './styles/growth.css';
import './styles/speech.css';
import './styles/train.css';
import { effect } from '@preact/signals';
import { render, type JSX } from 'preact';
import { Ask } from './ask.tsx';
import { Controls } from './controls.tsx';
import { EventPage } from './event-page.tsx';
import { ConceptPage } from './growth/concept-page.tsx';
import { GrowthPage } from './growth/growth-page.tsx';
import { startLive } from './live.ts';
import { LivePage } from './live-page.tsx';
import { route } from './router.ts';
import { Nav } from './nav.tsx';
import { MemoryPage } from './memory/memory-page.tsx';
import { RoutingPage } from './routing/routing-page.tsx';
import { SpeechPage } from './speech/speech-page.tsx';
import { TrainPage } from './train/train-page.tsx';
import { notice, spoken } from './state.ts';

const TAGLINES = {
  live: 'Read, solved, proved, remembered.',
  event: 'Read, solved, proved, remembered.',
  memory: 'What was remembered, laid out by likeness, tied by what it shares.',
  growth: 'What repeats gets a name, and where it pays a module of its own.',
  concept: 'Found without labels, and as exact to take back as to find.',
  speech: 'One model, three sizes: what each hears, and what it costs.',
  routing: 'Each request to the cheapest model that is good enough, and why.',
  train: 'A small language model learns in this browser.',
} as const;

function Studio(): JSX.Element {
  const at = route.value;
  return (
    <>
      <a class="skip" href="#main">
        To the content
      </a>
      <header class="top">
        <a class="brand" href="/" aria-label="Cairn: to the boards">
          <svg viewBox="0 0 32 32" aria-hidden="true">
            <ellipse cx="16" cy="26" rx="13" ry="4.6" />
            <ellipse cx="16.4" cy="16.6" rx="9.6" ry="4.1" />
            <ellipse cx="15.8" cy="8" rx="5.8" ry="3.7" />
          </svg>
          <span>Cairn</span>
        </a>
        <Nav />
        <p class="tagline">{TAGLINES[at.page]}</p>
        {(at.page === 'live' || at.page === 'event') && (
          <>
            <Controls />
            <Ask />
          </>
        )}
      </header>
      <Notices />
      <main id="main" tabIndex={-1}>
        {at.page === 'live' && <LivePage />}
        {at.page === 'event' && <EventPage id={at.id} />}
        {at.page === 'memory' && <MemoryPage />}
        {at.page === 'growth' && <GrowthPage />}
        {at.page === 'concept' && <ConceptPage id={at.id} />}
        {at.page === 'routing' && <RoutingPage />}
        {at.page === 'speech' && <SpeechPage />}
        {at.page === 'train' && <TrainPage />}
      </main>
      <footer class="foot quiet">
        Every view is also JSON: <a href="/api/events">events</a>, <a href="/api/totals">totals</a>,{' '}
        <a href="/api/route/decisions">decisions</a>, <a href="/api">all endpoints</a>.{' '}
        {at.page === 'routing'
          ? 'Nothing leaves this machine but calls to the models you configured.'
          : 'Nothing leaves this machine.'}
      </footer>
      <p class="visually-hidden" aria-live="polite">
        {spoken}
      </p>
    </>
  );
}

function Notices(): JSX.Element {
  const now = notice.value;
  return (
    <div class="notices" role={now?.kind === 'error' ? 'alert' : 'status'}>
      {now && (
        <div class={`notice is-${now.kind}`}>
          <p>
            <b>{now.text}</b> {now.hint}
          </p>
          <button type="button" class="plain" onClick={() => (notice.value = null)}>
            Close
          </button>
        </div>
      )}
    </div>
  );
}

/** What was done needs no answer: the word goes away by itself. A fault stays until it is closed. */
effect(() => {
  const now = notice.value;
  if (now?.kind !== 'done') return;
  const timer = setTimeout(() => {
    if (notice.peek() === now) notice.value = null;
  }, 8_000);
  return () => clearTimeout(timer);
});

effect(() => {
  if (route.value.page === 'live') document.title = 'Cairn';
});

const app = document.getElementById('app');
if (app) render(<Studio />, app);
startLive();
