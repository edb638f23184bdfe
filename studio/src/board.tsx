// The board: handwriting, the tint and mark of the module that read each cell, the solution, or what is rebuilt from an erased
// sketch. A grid for the keyboard: arrows move, Enter chooses, Escape lets go.
import type { JSX } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { BoardView, CellView, ErasureView } from '../../src/mind/boards/view.ts';
import { percent, place } from './format.ts';
import { drawInk, type Ink } from './picture.ts';
import { Mark, readerOf } from './readers.tsx';

export interface BoardProps {
  readonly board: BoardView;
  readonly ink: Ink | null;
  /** What the sketch still gives back; null: the board as it was read. */
  readonly erasure: ErasureView | null;
  readonly selected: number | null;
  readonly onSelect: (cell: number | null) => void;
  /** Cells of the proof step at hand. */
  readonly marked: readonly number[];
  /** Solved cells that are shown; null: all of them. A proof that is walked through fills the board step by step. */
  readonly placed: ReadonlySet<number> | null;
  /** Entrances: one by one, quick, or none. */
  readonly pace: 'calm' | 'swift' | 'still';
}

const ROWS = [0, 1, 2, 3, 4, 5, 6, 7, 8] as const;

export function Board(props: BoardProps): JSX.Element {
  const { board, ink, erasure, selected, onSelect } = props;
  const grid = useRef<HTMLDivElement>(null);
  const [focus, setFocus] = useState(0);

  const move = (event: KeyboardEvent): void => {
    const row = Math.floor(focus / 9);
    const column = focus % 9;
    const moves: Readonly<Record<string, () => number>> = {
      ArrowUp: () => Math.max(0, row - 1) * 9 + column,
      ArrowDown: () => Math.min(8, row + 1) * 9 + column,
      ArrowLeft: () => row * 9 + Math.max(0, column - 1),
      ArrowRight: () => row * 9 + Math.min(8, column + 1),
      Home: () => (event.ctrlKey ? 0 : row * 9),
      End: () => (event.ctrlKey ? 80 : row * 9 + 8),
    };
    const to = moves[event.key]?.();
    if (to !== undefined) {
      event.preventDefault();
      setFocus(to);
      grid.current?.querySelector<HTMLElement>(`[data-cell="${to}"]`)?.focus();
      if (selected !== null) onSelect(to);
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      onSelect(selected === focus ? null : focus);
    } else if (event.key === 'Escape' && selected !== null) {
      onSelect(null);
    }
  };

  return (
    <div
      class={`board is-${props.pace}${erasure ? ' is-rebuilt' : ''}`}
      role="grid"
      aria-label={`Board ${board.ordinal}, ${board.status}`}
      ref={grid}
      onKeyDown={move}
    >
      <InkLayer ink={ink} key={board.id} />
      {ROWS.map((row) => (
        <div role="row" class="board-row" key={row}>
          {ROWS.map((column) => {
            const index = row * 9 + column;
            return (
              <Cell
                key={index}
                index={index}
                board={board}
                erased={erasure?.cells[index]}
                survives={erasure?.solutionSurvives ?? true}
                tabbable={index === focus}
                selected={index === selected}
                marked={props.marked.includes(index)}
                placed={props.placed?.has(index) ?? true}
                hasInk={ink !== null}
                onPick={() => {
                  setFocus(index);
                  onSelect(selected === index ? null : index);
                }}
              />
            );
          })}
        </div>
      ))}
    </div>
  );
}

interface CellProps {
  readonly index: number;
  readonly board: BoardView;
  readonly erased: ErasureView['cells'][number] | undefined;
  /** Whether the rebuilt board still has its solution. */
  readonly survives: boolean;
  readonly tabbable: boolean;
  readonly selected: boolean;
  readonly marked: boolean;
  readonly placed: boolean;
  readonly hasInk: boolean;
  readonly onPick: () => void;
}

function Cell({
  index,
  board,
  erased,
  survives,
  tabbable,
  selected,
  marked,
  placed,
  hasInk,
  onPick,
}: CellProps): JSX.Element {
  const cell = board.cells[index];
  const reader = readerOf(cell?.reader ?? 'ink');
  const solved = cell?.given === false && placed ? (board.solution?.[index] ?? null) : null;
  const guess = erased !== undefined && isGuess(erased);
  const classes = [
    'cell',
    cell?.given ? `by-${reader.id}` : 'is-blank',
    erased === undefined ? '' : erased.right ? 'is-right' : 'is-wrong',
    guess ? 'is-guess' : '',
    marked ? 'is-marked' : '',
  ];
  return (
    <div
      class={classes.filter(Boolean).join(' ')}
      role="gridcell"
      data-cell={index}
      tabIndex={tabbable ? 0 : -1}
      aria-selected={selected}
      aria-label={describe(index, cell, solved, erased)}
      style={{ '--i': index }}
      onClick={onPick}
    >
      <span class="tint" key={`tint ${board.id}`} />
      {cell?.given && erased === undefined && <Mark reader={reader} key={board.id} />}
      {erased !== undefined && !(erased.digit === 0 && survives && solved !== null) ? (
        <span class="rebuilt" style={{ '--sure': Math.max(0.25, Math.min(1, erased.confidence * 1.6)) }}>
          {erased.digit === 0 ? (erased.right ? '' : '·') : erased.digit}
        </span>
      ) : cell?.given ? (
        !hasInk && <span class="printed">{cell.digit}</span>
      ) : (
        solved !== null && (
          <span class="solved" key={`solved ${board.id}`}>
            {solved}
          </span>
        )
      )}
      {erased !== undefined && !erased.right && <span class="flaw" aria-hidden="true" />}
    </div>
  );
}

/** A rebuilt cell whose winner hardly leads is a guess and is shown as one. */
export function isGuess(cell: ErasureView['cells'][number]): boolean {
  return cell.confidence < 0.2;
}

function describe(
  index: number,
  cell: CellView | undefined,
  solved: number | null,
  erased: ErasureView['cells'][number] | undefined,
): string {
  const where = place(index);
  if (erased !== undefined) {
    const what = erased.digit === 0 ? 'blank' : String(erased.digit);
    return `${where}: rebuilt as ${what}, ${erased.right ? 'right' : 'wrong'}${isGuess(erased) ? ', a guess' : ''}`;
  }
  if (!cell) return `${where}: forgotten`;
  if (!cell.given) return `${where}: ${solved === null ? 'blank' : `${solved}, solved`}`;
  return `${where}: ${cell.digit}, ${readerOf(cell.reader).name} reader, ${percent(cell.confidence)} sure`;
}

function InkLayer({ ink }: { readonly ink: Ink | null }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    if (canvas.current && ink) drawInk(canvas.current, ink);
  }, [ink]);
  return <canvas class="ink" ref={canvas} width={252} height={252} aria-hidden="true" />;
}
