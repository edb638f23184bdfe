// What the speech page asks the server, and how sound gets there: 16-bit samples in pieces, all sizes answer side by side.
import type { LiveSize } from '../../../src/mind/speech/open.ts';
import type { AsrSize } from '../../../src/nn/speech/config.ts';
import type { SizeCost } from '../../../src/nn/speech/recognizer.ts';
import { call } from '../api.ts';

export type { AsrSize, LiveSize, SizeCost };

/** A piece as the server takes it. */
export function toPcm(samples: Float32Array): Blob {
  const bytes = new DataView(new ArrayBuffer(2 * samples.length));
  samples.forEach((x, i) => bytes.setInt16(2 * i, Math.max(-32768, Math.min(32767, Math.round(x * 32768))), true));
  return new Blob([bytes.buffer], { type: 'application/octet-stream' });
}

export const speechApi = {
  sizes: () => call<{ sizes: readonly SizeCost[] }>('/api/speech'),
  open: (rate: number) => call<{ id: string }>(`/api/speech/live?rate=${rate}`, { method: 'POST' }),
  piece: (id: string, samples: Float32Array, last: boolean) =>
    call<{ sizes: readonly LiveSize[] }>(`/api/speech/live/${encodeURIComponent(id)}${last ? '?last=1' : ''}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/octet-stream' },
      body: toPcm(samples),
    }),
};

/** Rates the server takes. */
const HIGHEST = 48_000;

/** Sends sound in the order in which it comes, one piece at a time; what piles up goes together. */
export class Sender {
  readonly #id: string;
  readonly #heard: (sizes: readonly LiveSize[]) => void;
  #waiting: Float32Array[] = [];
  #busy: Promise<void> | undefined;
  #last = false;

  private constructor(id: string, heard: (sizes: readonly LiveSize[]) => void) {
    this.#id = id;
    this.#heard = heard;
  }

  static async open(rate: number, heard: (sizes: readonly LiveSize[]) => void): Promise<Sender> {
    const { id } = await speechApi.open(Math.min(HIGHEST, Math.round(rate)));
    return new Sender(id, heard);
  }

  push(samples: Float32Array): Promise<void> {
    this.#waiting.push(samples);
    return (this.#busy ??= this.#drain().finally(() => (this.#busy = undefined)));
  }

  /** Sends what is left and says that it was the last. */
  async finish(): Promise<void> {
    await this.#busy?.catch(() => undefined);
    this.#last = true;
    await this.push(new Float32Array(0));
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      const part = join(this.#waiting);
      this.#waiting = [];
      const { sizes } = await speechApi.piece(this.#id, part, this.#last);
      this.#heard(sizes);
    }
  }
}

function join(parts: readonly Float32Array[]): Float32Array {
  const out = new Float32Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
