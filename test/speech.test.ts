// Spoken digits over HTTP and on the command line, with the recogniser that comes with Cairn: live pieces, whole files, files of every
// kind that are wrong.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drawSpeaker, resampleAudio, speakString, writeWav } from '../src/data/index.ts';
import { openListener } from '../src/mind/index.ts';
import { createServer, type CairnServer } from '../src/serve/index.ts';
import { Rng } from '../src/tensor/index.ts';
import { createFixtureBoards } from './_fixtures/boards.ts';
import { runCli } from './_fixtures/cli.ts';

const dir = mkdtempSync(join(tmpdir(), 'cairn-speech-'));
/** Made-up words: what is heard means nothing here, only how it is handled. */
const samples = ((rng) => speakString(drawSpeaker(rng), 8000, rng, { words: [1, 2, 3] }).samples)(new Rng(3));
const file = (name: string, bytes: Uint8Array): string => {
  const path = join(dir, name);
  writeFileSync(path, bytes);
  return path;
};

let server: CairnServer;
beforeAll(async () => {
  server = await createServer({
    boards: async () => createFixtureBoards({ startAt: 3 }),
    speech: () => openListener(),
    port: 0,
  });
});
afterAll(async () => {
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});

async function api(
  path: string,
  body?: Uint8Array<ArrayBuffer>,
): Promise<{ status: number; body: ReturnType<JSON['parse']> }> {
  const response = await fetch(new URL(path, server.url), body ? { method: 'POST', body } : {});
  return { status: response.status, body: await response.json() };
}

function pcm(part: Float32Array): Uint8Array<ArrayBuffer> {
  return writeWav({ sampleRate: 8000, samples: part }).slice(44);
}

/** The same sound on both channels, 24 bits a sample. */
function stereo24(part: Float32Array): Uint8Array<ArrayBuffer> {
  const head = writeWav({ sampleRate: 8000, samples: new Float32Array(0) });
  const out = new Uint8Array(44 + 6 * part.length);
  out.set(head);
  const view = new DataView(out.buffer);
  view.setUint16(22, 2, true);
  view.setUint32(28, 48_000, true);
  view.setUint16(32, 6, true);
  view.setUint16(34, 24, true);
  view.setUint32(40, 6 * part.length, true);
  for (let i = 0; i < 2 * part.length; i++) {
    const x = Math.max(-32768, Math.min(32767, Math.round(part[i >> 1]! * 32768))) * 256;
    view.setUint16(44 + 3 * i, x & 0xffff, true);
    view.setInt8(46 + 3 * i, x >> 16);
  }
  return out;
}

describe('speech over HTTP', () => {
  it('hears live sound at three sizes, the same however it is cut', async () => {
    const { sizes } = (await api('/api/speech')).body;
    expect(sizes.map((s: { size: string }) => s.size)).toEqual(['small', 'medium', 'large']);
    const finals: string[][] = [];
    for (const n of [1600, 5000]) {
      const { status, body } = await api('/api/speech/live?rate=8000', new Uint8Array(0));
      expect(status).toBe(201);
      let last: { sizes: { final: string; partial: string; words: unknown[] }[] } = { sizes: [] };
      for (let at = 0; at < samples.length; at += n) {
        const end = at + n >= samples.length ? '?last=1' : '';
        last = (await api(`/api/speech/live/${body.id}${end}`, pcm(samples.subarray(at, at + n)))).body;
      }
      finals.push(last.sizes.map((s) => s.final));
      expect(last.sizes.every((s) => s.partial === '')).toBe(true);
      expect((await api(`/api/speech/live/${body.id}`, pcm(samples))).status).toBe(404);
    }
    expect(finals[1]).toEqual(finals[0]);
  });

  it('routes a whole file, of any sampling rate, and says by which size it was heard', async () => {
    for (const rate of [8000, 44_100]) {
      const wav = writeWav({ sampleRate: rate, samples: resampleAudio(samples, 8000, rate) });
      const { status, body } = await api('/api/speech', wav);
      expect(status).toBe(200);
      expect(body.seconds).toBeCloseTo(samples.length / 8000, 3);
      expect(body.route.by).toBe('router');
      expect(body.attempts.length).toBeGreaterThan(0);
    }
  });

  it('says what is silent, empty, cut, and takes every sample format', async () => {
    const silent = await api('/api/speech', writeWav({ sampleRate: 16_000, samples: new Float32Array(16_000) }));
    expect(silent.body).toMatchObject({ text: '', seconds: 1, note: 'the file is silent', module: null });
    const offset = new Float32Array(8000).fill(0.3);
    expect((await api('/api/speech', writeWav({ sampleRate: 8000, samples: offset }))).body.note).toContain('silent');
    const empty = writeWav({ sampleRate: 8000, samples: new Float32Array(0) });
    expect((await api('/api/speech', empty)).body).toMatchObject({ text: '', note: 'the file holds no samples' });
    const cut = (await api('/api/speech', writeWav({ sampleRate: 8000, samples }).slice(0, 9000))).body;
    expect(cut.note).toContain('the file was cut');
    expect(cut.seconds).toBeCloseTo((9000 - 44) / 16_000, 3);
    const mono = (await api('/api/speech', writeWav({ sampleRate: 8000, samples }))).body;
    const stereo = (await api('/api/speech', stereo24(samples))).body;
    expect(stereo.text).toBe(mono.text);
    expect(stereo.seconds).toBe(mono.seconds);
  });

  it('refuses what is no sound in its own words', async () => {
    const cases: [string, Uint8Array<ArrayBuffer>, number, string][] = [
      ['/api/speech', new Uint8Array([1, 2, 3]), 400, 'bad_wav'],
      [
        '/api/speech',
        new TextEncoder().encode('These are words, not sound, under the name words.wav.'),
        400,
        'bad_wav',
      ],
      ['/api/speech', writeWav({ sampleRate: 96_000, samples }), 400, 'bad_rate'],
      ['/api/speech/live', new Uint8Array(0), 400, 'bad_query'],
      ['/api/speech/live?rate=7000', new Uint8Array(0), 400, 'bad_rate'],
      ['/api/speech/live/nobody', new Uint8Array(2), 404, 'not_found'],
    ];
    for (const [path, body, status, code] of cases) {
      const got = await api(path, body);
      expect([got.status, got.body.error.code]).toEqual([status, code]);
    }
    const { body } = await api('/api/speech/live?rate=8000', new Uint8Array(0));
    expect((await api(`/api/speech/live/${body.id}?last=1`, new Uint8Array(3))).body.error.code).toBe('bad_audio');
  });
});

describe('cairn transcribe', { timeout: 120_000 }, () => {
  it('gives words with times and cost, and the same as a stream', async () => {
    const path = file('made-up.wav', writeWav({ sampleRate: 8000, samples }));
    const whole = await runCli(['transcribe', path, '--size', 'small', '--json']);
    expect(whole.code).toBe(0);
    const value = JSON.parse(whole.stdout);
    expect(value).toMatchObject({ size: 'small', sampleRate: 8000, channels: 1, encoding: 's16', silent: false });
    expect(value.cost.flop).toBeGreaterThan(1e6);
    const streamed = await runCli(['transcribe', path, '--size', 'small', '--json', '--stream']);
    expect(JSON.parse(streamed.stdout).text).toBe(value.text);
  });

  it('says what is silent, cut, of an odd rate or no sound', async () => {
    const wav = writeWav({ sampleRate: 8000, samples });
    const silent = file('silent.wav', writeWav({ sampleRate: 16_000, samples: new Float32Array(16_000) }));
    expect((await runCli(['transcribe', silent])).stdout.trim()).toBe('(the file is silent)');
    const cases: [string[], string][] = [
      [[file('cut.wav', wav.slice(0, 5000))], 'the file was cut.'],
      [
        [file('odd.wav', writeWav({ sampleRate: 4000, samples }))],
        'Expected a sampling rate of 8,000 to 48,000 Hz, got 4000.',
      ],
      [
        [file('text.wav', new TextEncoder().encode('This is no sound at all.'))],
        'Expected "RIFF" at the start of the file',
      ],
      [[join(dir, 'nowhere.wav')], 'Expected a WAV file that can be read'],
    ];
    for (const [args, text] of cases) {
      const { code, stderr, stdout } = await runCli(['transcribe', ...args]);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toContain(text);
    }
  });
});
