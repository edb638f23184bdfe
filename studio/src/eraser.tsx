// The erasure slider: takes numbers away from a board's sketch, shows what is left of them, and how much of the board comes back,
// as expected beforehand and as it turned out.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { BoardView, ErasureView, SketchNumbersView } from '../../src/mind/boards/view.ts';
import { api } from './api.ts';
import { isGuess } from './board.tsx';
import { bytes, count, percent } from './format.ts';
import { complain } from './state.ts';

/** Fewest numbers that the slider leaves. */
const LEAST = 96;
const STEP = 32;

const erasures = new Map<string, ErasureView>();

let last: Promise<unknown> = Promise.resolve();

/** Decoding is real work: while one answer is awaited, only the last position of the slider waits behind it. */
function oneByOne(job: () => Promise<void>): Promise<void> {
  const turn = last.then(job, job);
  last = turn.catch(() => undefined);
  return turn;
}

/** The board rebuilt from `keep` numbers; the previous answer stays until the next one is there. */
export function useErasure(board: BoardView | null, keep: number | null): ErasureView | null {
  const [view, setView] = useState<ErasureView | null>(null);
  const id = board?.id;
  useEffect(() => {
    if (id === undefined || keep === null) {
      setView(null);
      return;
    }
    const key = `${id}/${keep}`;
    const known = erasures.get(key);
    if (known) {
      setView(known);
      return;
    }
    let wanted = true;
    const timer = setTimeout(() => {
      void oneByOne(async () => {
        if (!wanted) return;
        const erasure = await api.erase(id, keep);
        erasures.set(key, erasure);
        if (erasures.size > 200) erasures.delete(erasures.keys().next().value!);
        if (wanted) setView(erasure);
      }).catch((error: unknown) => wanted && complain(error));
    }, 40);
    return () => {
      wanted = false;
      clearTimeout(timer);
    };
  }, [id, keep]);
  return view !== null && view.id === id && keep !== null ? view : null;
}

interface EraserProps {
  readonly board: BoardView;
  readonly keep: number | null;
  readonly erasure: ErasureView | null;
  readonly onKeep: (keep: number | null) => void;
}

export function Eraser({ board, keep, erasure, onKeep }: EraserProps): JSX.Element {
  const { dims, kept } = board.sketch;
  const value = keep ?? kept;
  const set = (wanted: number): void => {
    const next = Math.max(Math.min(LEAST, kept), Math.min(kept, wanted));
    onKeep(next === kept ? null : next);
  };
  return (
    <section class="eraser card" aria-label="Erase the sketch">
      <div class="eraser-head">
        <h2>What is left of its sketch</h2>
        <p class="figure">
          <b>{count(value)}</b> of {count(dims)} numbers
          {keep === null ? ` · ${bytes(board.sketch.bytes)}` : erasure && ` · ${bytes(erasure.bytes)}`}
        </p>
      </div>
      <div class="eraser-track">
        <Strip board={board} keep={value} />
        <input
          type="range"
          min={0}
          max={dims}
          step={STEP}
          value={value}
          aria-label="Numbers of the sketch that are kept"
          aria-valuetext={`${count(value)} of ${count(dims)} numbers${erasure ? `, ${percent(erasure.right)} of the cells right` : ''}`}
          onInput={(event) => {
            set(event.currentTarget.valueAsNumber);
            // The thumb stays where the last numbers are.
            event.currentTarget.value = String(Math.max(event.currentTarget.valueAsNumber, Math.min(LEAST, kept)));
          }}
        />
      </div>
      <div class="eraser-out" aria-busy={keep !== null && erasure === null}>
        {erasure !== null ? (
          <Rebuilt erasure={erasure} />
        ) : keep === null ? (
          <Invitation board={board} />
        ) : (
          <p class="quiet">Rebuilding the board from {count(keep)} numbers …</p>
        )}
      </div>
    </section>
  );
}

function Invitation({ board }: { readonly board: BoardView }): JSX.Element {
  const { dims, kept, bits } = board.sketch;
  if (kept < dims) {
    return (
      <p class="quiet">
        The other {count(dims - kept)} numbers were forgotten for good. What the board shows is rebuilt from the{' '}
        {count(kept)} that are left
        {board.exact ? ', without loss' : ', with loss'}.
      </p>
    );
  }
  return (
    <p class="quiet">
      The whole board, read and solved, is one vector of {count(dims)} numbers in {bits} bits each. Pull the slider to
      take numbers away: the board is rebuilt from nothing but the rest.
    </p>
  );
}

function Rebuilt({ erasure }: { readonly erasure: ErasureView }): JSX.Element {
  const wrong = erasure.cells.filter((c) => !c.right).length;
  const guesses = erasure.cells.filter(isGuess).length;
  return (
    <>
      <dl class="bars">
        <dt>expected right</dt>
        <dd>
          <span class="bar is-expected" style={{ '--share': erasure.expectedRight }} />
          <span class="bar-value">{percent(erasure.expectedRight)}</span>
        </dd>
        <dt>really right</dt>
        <dd>
          <span class="bar is-real" style={{ '--share': erasure.right }} />
          <span class="bar-value">{percent(erasure.right)}</span>
        </dd>
      </dl>
      <p class="quiet">
        {wrong === 0 ? 'Every cell came back' : `${wrong} of 81 cells wrong`}
        {guesses > 0 && `, ${guesses} only guessed`} ·{' '}
        {erasure.solutionSurvives ? 'the solution survives' : 'the solution is lost'} · {erasure.how}
      </p>
    </>
  );
}

const sketches = new Map<string, Promise<SketchNumbersView | null>>();

function sketchOf(id: string): Promise<SketchNumbersView | null> {
  const known = sketches.get(id);
  if (known) return known;
  const loading = api.sketch(id).catch(() => null);
  sketches.set(id, loading);
  if (sketches.size > 24) sketches.delete(sketches.keys().next().value!);
  return loading;
}

const HIGH = 8;

/** The numbers themselves, eight to a column; columns that are taken away stay as an empty frame. */
function Strip({ board, keep }: { readonly board: BoardView; readonly keep: number }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  const wide = Math.ceil(board.sketch.dims / HIGH);
  useEffect(() => {
    let wanted = true;
    void sketchOf(board.id).then((sketch) => {
      if (wanted && canvas.current) drawStrip(canvas.current, sketch);
    });
    return () => {
      wanted = false;
    };
  }, [board.id]);
  return (
    <div class="strip" aria-hidden="true">
      <canvas
        ref={canvas}
        width={wide}
        height={HIGH}
        style={{ clipPath: `inset(0 ${100 * (1 - keep / board.sketch.dims)}% 0 0)` }}
      />
    </div>
  );
}

/** Blue below zero, ochre above, clear at zero: readable in light and dark because only the opacity carries the size. */
function drawStrip(canvas: HTMLCanvasElement, sketch: SketchNumbersView | null): void {
  const context = canvas.getContext('2d');
  if (!context) return;
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (sketch === null) {
    context.fillStyle = 'rgb(95 139 166 / 0.35)';
    context.fillRect(0, 0, canvas.width, canvas.height);
    return;
  }
  const pixels = new ImageData(canvas.width, canvas.height);
  sketch.values.forEach((value, i) => {
    const at = ((i % HIGH) * canvas.width + Math.floor(i / HIGH)) * 4;
    const [r, g, b] = value < 0 ? [58, 116, 158] : [205, 138, 48];
    pixels.data.set([r!, g!, b!, Math.min(255, 24 + Math.abs(value) * 2.6)], at);
  });
  context.putImageData(pixels, 0, 0);
}
