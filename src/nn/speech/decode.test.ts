import { describe, expect, it } from 'vitest';
import { Rng } from '../../tensor/index.ts';
import { createBeamDecoder } from './beam.ts';
import { createGreedyDecoder, type Emission, type FrameDecoder } from './greedy.ts';
import type { HostJoint } from './host-joint.ts';
import { labelNgram } from './label-ngram.ts';
import { logAddExp, transducerLoss } from './transducer-loss.ts';

/** A joint whose distributions are a fixed random function of the frame and the last label. */
function randomJoint(seed: number, count: number, blankBias = 0.5): HostJoint {
  const logits = (frame: number, last: number): number[] => {
    const rng = new Rng(seed).fork(frame).fork(last);
    return Array.from({ length: count + 1 }, (_, k) => 1.5 * rng.normal() + (k === 0 ? blankBias : 0));
  };
  const normalise = (x: number[]): number[] => {
    const total = x.reduce(logAddExp, -Infinity);
    return x.map((v) => v - total);
  };
  return {
    count,
    width: 1,
    step(frame, last) {
      const p = normalise(logits(frame[0]!, last));
      return { blank: p[0]!, labels: Float64Array.from(p.slice(1)) };
    },
    internal: (last) => Float64Array.from(normalise(logits(-1, last).slice(1))),
  };
}

function run(decoder: FrameDecoder, frames: number): { labels: number[]; score: number; steps: string[] } {
  const emissions: Emission[] = [];
  const steps: string[] = [];
  for (let t = 0; t < frames; t++) {
    emissions.push(...decoder.push(Float32Array.of(t)));
    steps.push(emissions.map((e) => e.label).join(' '));
  }
  emissions.push(...decoder.finish());
  return { labels: emissions.map((e) => e.label), score: decoder.score, steps };
}

/** log of the sum over alignments of a label sequence. */
function totalOf(joint: HostJoint, labels: readonly number[], frames: number, labelFrames = 0): number {
  const columns = labels.length + 1;
  const [blank, label] = [new Float64Array(frames * columns), new Float64Array(frames * columns)];
  for (let t = 0; t < frames; t++) {
    for (let u = 0; u < columns; u++) {
      const p = joint.step(Float32Array.of(t), labels[u - 1] ?? 0, labels[u - 2] ?? 0);
      blank[t * columns + u] = p.blank;
      label[t * columns + u] = p.labels[(labels[u] ?? 1) - 1]!;
    }
  }
  const lengths = { frames: [frames], labels: [labels.length] };
  return -transducerLoss({ blank, label, batch: 1, frames, columns, labelFrames }, lengths).losses[0]!;
}

describe('decoding', () => {
  it('a beam of one is the greedy search', () => {
    for (let seed = 0; seed < 40; seed++) {
      const joint = randomJoint(seed, 3, seed % 3);
      const greedy = run(createGreedyDecoder(joint), 8);
      const beam = run(createBeamDecoder(joint, { width: 1 }), 8);
      expect(beam.labels).toEqual(greedy.labels);
      expect(beam.score).toBeCloseTo(greedy.score, 9);
    }
  });

  it('a wider beam never scores below greedy, and never above the sum of all alignments', () => {
    let better = 0;
    for (let seed = 0; seed < 60; seed++) {
      const joint = randomJoint(seed, 4);
      const greedy = run(createGreedyDecoder(joint), 7);
      const beam = run(createBeamDecoder(joint, { width: 6 }), 7);
      expect(beam.score).toBeGreaterThanOrEqual(greedy.score - 1e-9);
      expect(beam.score).toBeLessThanOrEqual(totalOf(joint, beam.labels, 7) + 1e-9);
      if (totalOf(joint, beam.labels, 7) > totalOf(joint, greedy.labels, 7) + 1e-9) better++;
    }
    expect(better).toBeGreaterThan(10);
  });

  it('labels that take frames keep their distance, in a beam too, whose score stays between greedy and all alignments', () => {
    for (let seed = 0; seed < 40; seed++) {
      const joint = randomJoint(seed, 3, -0.5);
      const labelFrames = 1 + (seed % 3);
      const greedy = run(createGreedyDecoder(joint, { labelFrames }), 9);
      const one = run(createBeamDecoder(joint, { width: 1, labelFrames }), 9);
      expect(one.labels).toEqual(greedy.labels);
      const beam = run(createBeamDecoder(joint, { width: 8, labelFrames }), 9);
      expect(beam.score).toBeGreaterThanOrEqual(greedy.score - 1e-9);
      expect(beam.score).toBeLessThanOrEqual(totalOf(joint, beam.labels, 9, labelFrames) + 1e-9);
      const decoder = createBeamDecoder(joint, { labelFrames });
      const emissions: Emission[] = [];
      for (let t = 0; t < 9; t++) emissions.push(...decoder.push(Float32Array.of(t)));
      emissions.push(...decoder.finish());
      expect(emissions.length).toBeGreaterThan(0);
      const gaps = emissions.slice(1).map((e, i) => e.frame - emissions[i]!.frame);
      expect(Math.min(99, ...gaps)).toBeGreaterThanOrEqual(labelFrames);
    }
  });

  it('a frame that says a label is no silence, nor are those that it takes, in greedy search and in a beam', () => {
    for (let seed = 0; seed < 30; seed++) {
      const labelFrames = seed % 4;
      const joint = randomJoint(seed, 3, 1);
      const greedy = createGreedyDecoder(joint, { labelFrames });
      const beam = createBeamDecoder(joint, { width: 1 + (seed % 3), labelFrames });
      let sits = 0;
      for (let t = 0; t < 12; t++) {
        const said = greedy.push(Float32Array.of(t)).length > 0;
        if (said) sits = Math.max(1, labelFrames);
        if (sits > 0) expect(greedy.blank).toBe(0);
        else expect(greedy.blank).toBeGreaterThan(0);
        beam.push(Float32Array.of(t));
        expect(beam.blank).toBe(greedy.blank);
        sits--;
      }
    }
  });

  it('what a stream has handed out is a prefix of the result', () => {
    for (let seed = 0; seed < 20; seed++) {
      for (const make of [createGreedyDecoder, createBeamDecoder]) {
        const { labels, steps } = run(make(randomJoint(seed, 3)), 12);
        for (const step of steps) expect(`${labels.join(' ')} `.startsWith(step === '' ? '' : `${step} `)).toBe(true);
      }
    }
  });

  it('emits at most a few labels a frame', () => {
    const eager: HostJoint = {
      count: 2,
      width: 1,
      step: () => ({ blank: Math.log(0.1), labels: Float64Array.of(Math.log(0.8), Math.log(0.1)) }),
      internal: () => Float64Array.of(0, 0),
    };
    expect(run(createGreedyDecoder(eager, { maxSymbols: 3 }), 2).labels).toHaveLength(6);
    expect(run(createBeamDecoder(eager, { maxSymbols: 3, width: 2 }), 2).labels.length).toBeLessThanOrEqual(6);
    expect(() => createBeamDecoder(eager, { width: 0 })).toThrow('Expected a beam width from 1 to 1024, got 0.');
  });

  it('fusion pulls towards a language model, and the internal model can be taken out', () => {
    // Two labels that sound alike: the language model says that 2 follows 1.
    const alike: HostJoint = {
      count: 2,
      width: 1,
      step: (frame, last, before) => {
        const heard = Number(last > 0) + Number(before > 0);
        const labels = last === 0 ? [0.9, 0.1] : [0.52, 0.48];
        const p = heard < (frame[0]! < 1 ? 0 : frame[0]! < 3 ? 1 : 2) ? 0.98 : 0.02;
        return { blank: Math.log(1 - p), labels: Float64Array.from(labels, (l) => Math.log(p * l)) };
      },
      internal: (last) => Float64Array.from(last === 0 ? [0.9, 0.1] : [0.7, 0.3], Math.log),
    };
    const once = (o: Parameters<typeof createBeamDecoder>[1]): number[] =>
      run(createBeamDecoder(alike, { maxSymbols: 1, ...o }), 4).labels;
    expect(once({})).toEqual([1, 1]);
    const lm = labelNgram([[1, 2, 1, 2, 1, 2]], { count: 2 });
    expect(once({ lm, lmWeight: 0.5 })).toEqual([1, 2]);
    expect(once({ internalWeight: 0.3 })).toEqual([1, 2]);
    expect(Array.from(lm.next([])).reduce((s, l) => s + Math.exp(l), 0)).toBeCloseTo(1, 9);
    expect(lm.next([1])[1]!).toBeGreaterThan(lm.next([1])[0]!);
  });
});
