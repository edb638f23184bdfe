// Frame-synchronous beam search for transducers: hypotheses are label sequences, scores of equal sequences are added up. Optional
// shallow fusion with an external language model and subtraction of the internal one. The greedy path is always kept, so the
// result never scores below it.
import { CairnError } from '../../errors.ts';
import { type Emission, type FrameDecoder, indexOfMax, MAX_SYMBOLS } from './greedy.ts';
import type { HostJoint } from './host-joint.ts';
import { logAddExp } from './transducer-loss.ts';

/** A language model over labels. */
export interface LabelModel {
  /** Log-probabilities `[vocabulary]` of the next label after a history of labels (from 1 on), oldest first. */
  next(history: readonly number[]): ArrayLike<number>;
}

export interface BeamOptions {
  /** Hypotheses kept. Default 4. */
  readonly width?: number;
  readonly maxSymbols?: number;
  /** Frames by which a label moves on, as in training. Default 0. */
  readonly labelFrames?: number;
  /** External language model and its weight. */
  readonly lm?: LabelModel;
  readonly lmWeight?: number;
  /** Weight of the internal language model that is subtracted. Default 0. */
  readonly internalWeight?: number;
}

/** A node of the trie of label sequences: equal sequences are the same node. */
interface Node {
  readonly parent: Node | undefined;
  readonly label: number;
  readonly length: number;
  readonly children: Map<number, Node>;
  /** Fused log-probabilities minus the acoustic ones, `[vocabulary]`; made on first use. */
  fusion: Float64Array | undefined;
}

/** When the labels of a sequence were emitted, the last one first. */
interface Path {
  readonly emission: Emission;
  readonly before: Path | undefined;
}

interface Hypothesis {
  readonly node: Node;
  /** The likeliest of its alignments that were added up. */
  readonly path: Path | undefined;
  readonly score: number;
  /** This is where the greedy search stands. */
  readonly greedy: boolean;
  /** It has passed the frame. */
  readonly done: boolean;
  /** Frames it still sits out after a label. */
  readonly wait: number;
}

const newNode = (parent: Node | undefined, label: number): Node => ({
  parent,
  label,
  length: parent ? parent.length + 1 : 0,
  children: new Map(),
  fusion: undefined,
});

/**
 * @throws CairnError `bad_beam`
 * @example
 * const decoder = createBeamDecoder(joint, { width: 4, lm, lmWeight: 0.3, internalWeight: 0.2 });
 */
export function createBeamDecoder(joint: HostJoint, options: BeamOptions = {}): FrameDecoder {
  const { width = 4, maxSymbols = MAX_SYMBOLS, labelFrames = 0, lm, lmWeight = 0, internalWeight = 0 } = options;
  if (!Number.isInteger(width) || width < 1 || width > 1024) {
    throw new CairnError('bad_beam', `Expected a beam width from 1 to 1024, got ${width}.`);
  }
  let beam: Hypothesis[] = [
    { node: newNode(undefined, 0), path: undefined, score: 0, greedy: true, done: false, wait: 0 },
  ];
  let frames = 0;
  let blank = 1;
  /** The greedy search emitted a label at this frame, or sits one out. */
  let spoke = false;
  /** The sequence that was handed out as certain. */
  let committed = beam[0]!.node;
  /** Frame of the last label that was handed out. */
  let lastFrame = -labelFrames;

  const fusionOf = (node: Node): Float64Array => {
    if (node.fusion) return node.fusion;
    const [last, before] = lastTwo(node);
    const internal = internalWeight === 0 ? undefined : joint.internal(last, before);
    const external = lm && lmWeight !== 0 ? lm.next(labelsOf(node)) : undefined;
    node.fusion = Float64Array.from(
      { length: joint.count },
      (_, k) => (external ? lmWeight * external[k]! : 0) - (internal ? internalWeight * internal[k]! : 0),
    );
    return node.fusion;
  };

  /** Moves every hypothesis across the frame. */
  const advance = (frame: Float32Array): void => {
    spoke = beam.some((h) => h.greedy && h.wait > 0);
    let active: Hypothesis[] = beam.map((h) => ({ ...h, done: h.wait > 0, wait: Math.max(0, h.wait - 1) }));
    for (let round = 0; active.some((h) => !h.done); round++) {
      const next = new Map<Node, Hypothesis[]>();
      const add = (h: Hypothesis): void => {
        const same = next.get(h.node) ?? [];
        const i = same.findIndex((other) => other.done === h.done && other.wait === h.wait);
        if (i < 0) same.push(h);
        else {
          const other = same[i]!;
          const { path } = h.score > other.score ? h : other;
          same[i] = { ...h, path, score: logAddExp(h.score, other.score), greedy: h.greedy || other.greedy };
        }
        next.set(h.node, same);
      };
      for (const h of active) {
        if (h.done) add(h);
        else expand(h, frame, round, add);
      }
      active = prune([...next.values()].flat());
    }
    beam = active;
    if (spoke) blank = 0;
  };

  const expand = (h: Hypothesis, frame: Float32Array, round: number, add: (h: Hypothesis) => void): void => {
    const [last, before] = lastTwo(h.node);
    const p = joint.step(frame, last, before);
    const fusion = round < maxSymbols ? fusionOf(h.node) : undefined;
    const labels = fusion ? p.labels.map((l, k) => l + fusion[k]!) : p.labels;
    const best = indexOfMax(labels);
    const stays = !fusion || p.blank >= labels[best]!;
    if (h.greedy && stays) blank = Math.exp(p.blank);
    else if (h.greedy) spoke = true;
    add({ node: h.node, path: h.path, score: h.score + p.blank, greedy: h.greedy && stays, done: true, wait: 0 });
    if (!fusion) return;
    for (const k of topLabels(labels, width)) {
      let child = h.node.children.get(k + 1);
      if (!child) {
        child = newNode(h.node, k + 1);
        h.node.children.set(k + 1, child);
      }
      const [score, greedy] = [h.score + labels[k]!, h.greedy && !stays && k === best];
      const path = { emission: { label: k + 1, frame: frames, logProb: p.labels[k]! }, before: h.path };
      add({ node: child, path, score, greedy, done: labelFrames > 0, wait: Math.max(0, labelFrames - 1) });
    }
  };

  const prune = (all: Hypothesis[]): Hypothesis[] => {
    // Finished before unfinished where scores are equal, as the greedy search prefers the blank.
    const sorted = all.sort((a, b) => b.score - a.score || Number(b.done) - Number(a.done));
    return sorted.filter((h, i) => i < width || h.greedy);
  };

  /** The likeliest sequence, whatever it still waits for. */
  const best = (): Hypothesis => {
    const sums = new Map<Node, Hypothesis>();
    for (const h of beam) {
      const same = sums.get(h.node);
      const { path } = !same || h.score > same.score ? h : same;
      sums.set(h.node, { ...h, path, score: same ? logAddExp(h.score, same.score) : h.score });
    }
    return [...sums.values()].reduce((a, b) => (b.score > a.score ? b : a));
  };
  /** Labels of the best hypothesis beyond those handed out so far, up to a length; later than the last one by what that takes. */
  const beyond = ({ node, path }: Hypothesis, length = node.length): Emission[] => {
    const out: Emission[] = [];
    let p = path;
    for (let n = node.length; n > committed.length; n--, p = p!.before) if (n <= length) out.unshift(p!.emission);
    let least = lastFrame + labelFrames;
    return out.map((e) => {
      const frame = Math.max(e.frame, least);
      least = frame + labelFrames;
      return { ...e, frame };
    });
  };
  const handOut = (emissions: Emission[], node: Node): Emission[] => {
    committed = node;
    lastFrame = emissions.at(-1)?.frame ?? lastFrame;
    return emissions;
  };

  return {
    push(frame) {
      advance(frame);
      frames++;
      const shared = commonAncestor(beam.map((h) => h.node));
      const out = handOut(beyond(best(), shared.length), shared);
      // What is not below the common sequence will not be seen again.
      for (let n = shared.parent; n; n = n.parent) {
        if (n.children.size === 0) break;
        n.children.clear();
      }
      return out;
    },
    tentative: () => beyond(best()),
    finish() {
      const winner = best();
      const out = handOut(beyond(winner), winner.node);
      beam = [winner];
      return out;
    },
    get score() {
      return best().score;
    },
    get blank() {
      return blank;
    },
  };
}

function lastTwo(node: Node): [number, number] {
  return [node.label, node.parent?.label ?? 0];
}

function labelsOf(node: Node): number[] {
  const labels: number[] = [];
  for (let n: Node | undefined = node; n; n = n.parent) if (n.parent) labels.push(n.label);
  return labels.reverse();
}

function topLabels(labels: Float64Array, count: number): number[] {
  return Array.from(labels.keys())
    .sort((a, b) => labels[b]! - labels[a]!)
    .slice(0, count);
}

function commonAncestor(nodes: readonly Node[]): Node {
  let level = [...nodes];
  const shortest = Math.min(...level.map((n) => n.length));
  const up = (n: Node): Node => n.parent!;
  level = level.map((n) => {
    let m = n;
    while (m.length > shortest) m = up(m);
    return m;
  });
  while (level.some((n) => n !== level[0])) level = level.map(up);
  return level[0]!;
}
