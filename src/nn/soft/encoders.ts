// What turns pictures and sounds into vectors that stand among embedded tokens ("soft tokens"): patches of a grey picture through a
// small MLP, rows of log mels through conformer layers. Not text, and not trained apart: gradients come through the language model.
import {
  type Builder,
  concat,
  defineProgram,
  normal,
  type ProgramDef,
  type ProgramOptions,
  scaledNormal,
  type Tensor,
  zeros,
} from '../../tensor/index.ts';
import type { LmConfig } from '../lm-config.ts';
import { AUDIO_HEADS, audioTokens, audioWidth, imageTokens, softWidth } from '../lm-soft-config.ts';
import { type BlockShape, conformerBlock, type Frames } from '../speech/conformer.ts';

/** Pictures and clips of one call. */
export interface SoftShape {
  readonly images: number;
  readonly clips: number;
}

/**
 * Vectors of pictures `[n, size, size]`, ink 1 and background 0: `[n, patches, softWidth]`, patches row by row.
 */
export function encodeImages(b: Builder, c: LmConfig, pixels: Tensor): Tensor {
  const [n, size] = pixels.shape as [number, number];
  const patch = c.image_patch_size!;
  const side = size / patch;
  const count = imageTokens(c);
  const hidden = c.image_hidden_size ?? 2 * c.hidden_size;
  return b.scope('image', () => {
    const patches = pixels
      .reshape([n, side, patch, side, patch])
      .transpose([0, 1, 3, 2, 4])
      .reshape([n, count, patch * patch]);
    const place = b.param(b.path('position.weight'), [count, hidden], normal(0.02), { decay: false });
    const h = project(b, 'in', patches, hidden).add(place).gelu();
    return project(b, 'out', h, softWidth(c), OUT_STD);
  });
}

/**
 * Vectors of clips `[n, rows, mels * stack]`, of which the rows with `valid` 1 `[n, rows, 1]` are real:
 * `[n, audioTokens(rows), softWidth]`.
 */
export function encodeClips(b: Builder, c: LmConfig, rows: Tensor, valid: Tensor): Tensor {
  const width = audioWidth(c);
  const reach = c.audio_rows!;
  return b.scope('audio', () => {
    let frames: Frames = { x: project(b, 'in', rows, width), valid };
    for (let i = 0; i < (c.audio_layers ?? 1); i++) {
      const shape: BlockShape = {
        width,
        heads: AUDIO_HEADS,
        hidden: 2 * width,
        kernel: 7,
        left: reach,
        right: reach,
        causal: false,
        funnel: i === 0 && c.audio_funnel === true,
        eps: c.rms_norm_eps,
        theta: c.rope_theta,
      };
      frames = b.scope(`layers.${i}`, () => conformerBlock(b, shape, frames));
    }
    return project(b, 'out', frames.x, softWidth(c), OUT_STD);
  });
}

/** Vectors begin about as long as embedded tokens. */
const OUT_STD = 0.02;

function project(b: Builder, name: string, x: Tensor, outputs: number, std?: number): Tensor {
  const inputs = x.shape.at(-1)!;
  const init = std === undefined ? scaledNormal(1) : normal(std);
  const weight = b.param(b.path(`${name}.weight`), [inputs, outputs], init);
  return x.matmul(weight).add(b.param(b.path(`${name}.bias`), [outputs], zeros, { decay: false }));
}

/** Inputs `image.pixels` and `audio.rows`, `audio.valid` of a program. */
export function softInputs(b: Builder, c: LmConfig, { images, clips }: SoftShape): { pixels?: Tensor; clip?: Frames } {
  const size = c.image_size ?? 0;
  return {
    ...(images > 0 ? { pixels: b.input('image.pixels', [images, size, size]) } : {}),
    ...(clips > 0
      ? {
          clip: {
            x: b.input('audio.rows', [clips, c.audio_rows!, c.audio!.mels * c.audio!.stack]),
            valid: b.input('audio.valid', [clips, c.audio_rows!, 1]),
          },
        }
      : {}),
  };
}

/** All vectors of a call in one table `[rows, softWidth]`: those of every picture, then those of every clip. */
export function softTable(b: Builder, c: LmConfig, shape: SoftShape): Tensor {
  const { pixels, clip } = softInputs(b, c, shape);
  const width = softWidth(c);
  const parts: Tensor[] = [];
  if (pixels) parts.push(encodeImages(b, c, pixels).reshape([shape.images * imageTokens(c), width]));
  if (clip) {
    const count = shape.clips * audioTokens(c, c.audio_rows!);
    parts.push(encodeClips(b, c, clip.x, clip.valid!).reshape([count, width]));
  }
  return parts.length === 1 ? parts[0]! : concat(parts, 0);
}

/** The encoders alone: `softInputs` to `soft [rows, softWidth]`. */
export function softProgram(c: LmConfig, shape: SoftShape, options: ProgramOptions = {}): ProgramDef {
  return defineProgram((b) => void b.output('soft', softTable(b, c, shape)), options);
}

/** One of each that the model has. */
export function oneOfEach(c: LmConfig): SoftShape {
  return { images: c.image_token_id === undefined ? 0 : 1, clips: c.audio_token_id === undefined ? 0 : 1 };
}
