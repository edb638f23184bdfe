// The HTTP API of spoken digits: a whole WAV file, routed to a size, or live audio in pieces that all sizes hear side by side. Live
// sessions are few, short of memory and forgotten when nobody talks to them.
import { randomBytes } from 'node:crypto';
import type { Hono } from 'hono';
import { createLevelMeter, createWavReader } from '../data/index.ts';
import { CairnError } from '../errors.ts';
import type { Listener, LiveListening, LiveSize } from '../mind/index.ts';
import { readBytes } from './_body.ts';
import { toInteger } from './_query.ts';

/** What the routes stand on: the models are read when they are first asked for. */
export interface SpeechParts {
  readonly speech: () => Promise<Listener>;
  readonly now: () => number;
}

/** Largest accepted WAV file: about a minute at 48 kHz. */
const MAX_WAV_BYTES = 12 * 1024 * 1024;
/** Largest piece of live audio: several seconds. */
const MAX_PIECE_BYTES = 1024 * 1024;
const MAX_SESSIONS = 8;
const IDLE_MS = 60_000;

interface Session {
  readonly live: LiveListening;
  lastHeard: number;
  /** Pieces are heard one after the other. */
  turn: Promise<unknown>;
}

/** Adds the routes under /api/speech. */
export function addSpeechApi(app: Hono, { speech, now }: SpeechParts): void {
  const sessions = new Map<string, Session>();
  const forgetIdle = (): void => {
    for (const [id, session] of sessions) if (now() - session.lastHeard > IDLE_MS) sessions.delete(id);
  };

  app.get('/api/speech', async (c) => c.json({ sizes: (await speech()).costs }));

  app.post('/api/speech', async (c) => {
    const reader = createWavReader({ allowTruncated: true });
    const samples = reader.push(await readBytes(c, MAX_WAV_BYTES));
    reader.finish();
    const { sampleRate } = reader.format!;
    checkRate(sampleRate);
    const level = createLevelMeter();
    level.push(samples);
    const cut = reader.truncated ? 'the file was cut: this is what is there of it' : undefined;
    if (level.silent) {
      const note = samples.length === 0 ? 'the file holds no samples' : 'the file is silent';
      return c.json({
        note: cut ? `${note}; ${cut}` : note,
        text: '',
        words: [],
        seconds: samples.length / sampleRate,
        module: null,
        confidence: null,
        usage: {},
        route: null,
        attempts: [],
      });
    }
    const reply = await (await speech()).hear({ samples, sampleRate }, { signal: c.req.raw.signal });
    const note = reply.output ? cut : cut ? `no words were heard; ${cut}` : 'no words were heard';
    return c.json({
      ...(note === undefined ? {} : { note }),
      text: reply.output?.text ?? '',
      words: reply.output?.words ?? [],
      seconds: samples.length / sampleRate,
      module: reply.module ?? null,
      confidence: reply.confidence ?? null,
      usage: reply.usage,
      route: reply.trace.route,
      attempts: reply.trace.attempts,
    });
  });

  app.post('/api/speech/live', async (c) => {
    const rate = toInteger('rate', c.req.query('rate'), 1, 768_000);
    if (rate === undefined) {
      throw new CairnError('bad_query', 'Expected rate, the samples a second, got none.', {
        hint: 'Send for example ?rate=48000.',
      });
    }
    checkRate(rate);
    forgetIdle();
    if (sessions.size >= MAX_SESSIONS) {
      throw new CairnError('busy', `Expected at most ${MAX_SESSIONS} live sessions at a time, got one more.`, {
        hint: 'Finish one, or wait a minute.',
      });
    }
    const id = randomBytes(12).toString('base64url');
    sessions.set(id, { live: await (await speech()).open(rate), lastHeard: now(), turn: Promise.resolve() });
    return c.json({ id, sizes: (await speech()).costs }, 201);
  });

  app.post('/api/speech/live/:id', async (c) => {
    const id = c.req.param('id');
    const session = sessions.get(id);
    if (!session) {
      throw new CairnError('not_found', 'Expected a live session, got one that is over or never was.', {
        hint: 'Open one with POST /api/speech/live?rate=48000.',
      });
    }
    const samples = toSamples(await readBytes(c, MAX_PIECE_BYTES));
    session.lastHeard = now();
    const last = c.req.query('last') === '1';
    const work = session.turn.then(async (): Promise<LiveSize[]> => {
      const heard = await session.live.push(samples);
      return last ? session.live.finish() : heard;
    });
    session.turn = work.catch(() => undefined);
    try {
      return c.json({ sizes: await work });
    } finally {
      if (last) sessions.delete(id);
    }
  });
}

function checkRate(rate: number): void {
  if (rate >= 8000 && rate <= 48_000) return;
  throw new CairnError('bad_rate', `Expected a sampling rate of 8,000 to 48,000 Hz, got ${rate}.`);
}

/** 16-bit little-endian PCM, one channel. */
function toSamples(bytes: Uint8Array): Float32Array {
  if (bytes.length % 2 !== 0) {
    throw new CairnError('bad_audio', `Expected 16-bit samples, got an odd number of bytes (${bytes.length}).`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) => view.getInt16(2 * i, true) / 32768);
}
