// A board on the table: its name and verdict above, the board, the eraser below. Both pages show it.
import type { ComponentChildren, JSX } from 'preact';
import type { BoardView, ErasureView } from '../../src/mind/boards/view.ts';
import { Board } from './board.tsx';
import { Eraser } from './eraser.tsx';
import { time } from './format.ts';
import { Legend } from './legend.tsx';
import type { Ink } from './picture.ts';
import { eventPath } from './router.ts';
import { Verdict } from './verdict.tsx';

interface BoardTableProps {
  readonly board: BoardView;
  readonly ink: Ink | null;
  readonly erasure: ErasureView | null;
  readonly keep: number | null;
  readonly cell: number | null;
  readonly marked: readonly number[];
  readonly placed: ReadonlySet<number> | null;
  readonly pace: 'calm' | 'swift' | 'still';
  readonly onCell: (cell: number | null) => void;
  readonly onKeep: (keep: number | null) => void;
  readonly action: ComponentChildren;
}

export function BoardTable(props: BoardTableProps): JSX.Element {
  const { board } = props;
  return (
    <div class="table">
      <div class="table-head">
        <h1>
          <a href={eventPath(board.id)}>Board {board.ordinal}</a>
        </h1>
        <Verdict board={board} />
        <span class="quiet">
          {board.source === 'image' ? 'your picture' : 'generated'} · {time(board.at)}
        </span>
        <span class="table-action">{props.action}</span>
      </div>
      <Board
        board={board}
        ink={props.ink}
        erasure={props.erasure}
        selected={props.cell}
        marked={props.marked}
        placed={props.placed}
        pace={props.pace}
        onSelect={props.onCell}
      />
      <Legend board={board} />
      <Eraser board={board} keep={props.keep} erasure={props.erasure} onKeep={props.onKeep} />
    </div>
  );
}
