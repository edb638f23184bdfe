// Greedy transducer decoding, frame by frame: a label once emitted is never taken back, which is what makes partial results stable.
import type { HostJoint } from './host-joint.ts';

/** A label and where it was heard. */
export interface Emission {
  /** From 1 on. */
  readonly label: number;
  /** Frame of emission. */
  readonly frame: number;
  /** log P of the label at that point. */
  readonly logProb: number;
}

/** Labels emitted at one frame at most. */
export const MAX_SYMBOLS = 5;

export interface FrameDecoder {
  /** Decodes the next frame; returns what is certain now and was not before. */
  push(frame: Float32Array): Emission[];
  /** What more is believed now but may change. */
  tentative(): readonly Emission[];
  /** Says that the utterance is over: everything that is left. */
  finish(): Emission[];
  /** log P of what was decided. */
  readonly score: number;
  /** P(blank) at the last frame; 0 where a label was emitted or sits out its frames. */
  readonly blank: number;
}

export interface GreedyOptions {
  /** Labels emitted at one frame at most. Default 5. */
  readonly maxSymbols?: number;
  /** Frames by which a label moves on, as in training. Default 0. */
  readonly labelFrames?: number;
}

/**
 * @example
 * const decoder = createGreedyDecoder(joint);
 * for (const frame of frames) emissions.push(...decoder.push(frame));
 */
export function createGreedyDecoder(joint: HostJoint, options: GreedyOptions = {}): FrameDecoder {
  const { maxSymbols = MAX_SYMBOLS, labelFrames = 0 } = options;
  let [last, before, frames, score, blank, wait] = [0, 0, 0, 0, 1, 0];
  return {
    push(frame) {
      const out: Emission[] = [];
      if (wait > 0) {
        wait--;
        frames++;
        blank = 0;
        return out;
      }
      for (let n = 0; ; n++) {
        const p = joint.step(frame, last, before);
        const best = indexOfMax(p.labels);
        blank = Math.exp(p.blank);
        if (n >= maxSymbols || p.blank >= p.labels[best]!) {
          score += p.blank;
          break;
        }
        score += p.labels[best]!;
        out.push({ label: best + 1, frame: frames, logProb: p.labels[best]! });
        [last, before] = [best + 1, last];
        if (labelFrames > 0) {
          wait = labelFrames - 1;
          break;
        }
      }
      frames++;
      if (out.length > 0) blank = 0;
      return out;
    },
    tentative: () => [],
    finish: () => [],
    get score() {
      return score;
    },
    get blank() {
      return blank;
    },
  };
}

export function indexOfMax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}
