// One cell under the glass: its handwriting, who read it and why, how sure, the runner-up, and other events that share the component.
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { BoardView, CallView, CellView, ErasureView, RelatedView } from '../../src/mind/boards/view.ts';
import { api } from './api.ts';
import { flop, millis, percent, place } from './format.ts';
import { drawInk, type Ink } from './picture.ts';
import { Mark, readerOf } from './readers.tsx';
import { EventLink } from './recents.tsx';
import { Verdict, verdictSentence } from './verdict.tsx';
import { Why } from './why.tsx';

interface InspectorProps {
  readonly board: BoardView;
  readonly ink: Ink | null;
  readonly cell: number | null;
  readonly erasure: ErasureView | null;
  /** Calls that read the chosen cell, where the event's calls are known. */
  readonly calls: readonly CallView[];
  readonly onClose: () => void;
}

export function Inspector(props: InspectorProps): JSX.Element {
  const { board, cell } = props;
  const view = cell === null ? undefined : board.cells[cell];
  return (
    <section
      class={`inspector card${cell === null ? '' : ' has-cell'}`}
      aria-label={cell === null ? 'This board' : `Cell ${place(cell)}`}
    >
      {cell === null || view === undefined ? (
        <BoardFacts board={board} />
      ) : (
        <CellFacts {...props} cell={cell} view={view} />
      )}
    </section>
  );
}

function BoardFacts({ board }: { readonly board: BoardView }): JSX.Element {
  const clues = board.cells.filter((c) => c.given).length;
  return (
    <>
      <header class="inspector-head">
        <h2>This board</h2>
        <Verdict board={board} />
      </header>
      <p class={`says is-${board.status}`} title={verdictSentence(board)}>
        {verdictSentence(board)}
      </p>
      <dl class="facts">
        <Fact name="clues">{clues}</Fact>
        <Fact name="solver">{board.solver ?? 'none could prove it'}</Fact>
        <Fact name="read again by the large reader">{board.escalated}</Fact>
        <Fact name="repaired by the rules">{board.repaired}</Fact>
        <Fact name="cost">{flop(board.cost.flop)}</Fact>
        <Fact name="from picture to proof">{millis(board.cost.ms)}</Fact>
      </dl>
      <p class="quiet">Choose a cell to see which module read it, and why.</p>
    </>
  );
}

function CellFacts(props: InspectorProps & { readonly cell: number; readonly view: CellView }): JSX.Element {
  const { board, ink, cell, view, erasure, calls, onClose } = props;
  const reader = readerOf(view.reader);
  const rebuilt = erasure?.cells[cell];
  const solved = board.solution?.[cell];
  return (
    <>
      <header class="inspector-head">
        <h2>{place(cell)}</h2>
        <button type="button" class="plain" onClick={onClose}>
          Close
        </button>
      </header>
      <div class="cell-top">
        <Glass ink={ink} cell={cell} view={view} />
        <div>
          <p class="cell-read">
            {view.given ? (
              <>
                <b>{view.digit}</b> {reader.id === 'repair' ? 'put right by the rules' : 'read by'}{' '}
                <span class={`chip by-${reader.id}`}>
                  <Mark reader={reader} /> {reader.name}
                </span>
              </>
            ) : (
              <>
                <b>{solved ?? 'blank'}</b>{' '}
                {solved === undefined ? 'no ink in this cell' : 'by deduction; no ink in this cell'}
              </>
            )}
          </p>
          {view.given && <Sureness view={view} />}
          {view.repairedFrom !== undefined && (
            <p class="note">
              Read as {view.repairedFrom} at first: no solution has it there, and {view.digit} is the most probable
              reading that leaves exactly one.
            </p>
          )}
          {rebuilt && (
            <p class={`note ${rebuilt.right ? '' : 'is-bad'}`}>
              From what is left of the sketch: {rebuilt.digit === 0 ? 'blank' : rebuilt.digit},{' '}
              {rebuilt.right ? 'right' : 'wrong'}.
            </p>
          )}
        </div>
      </div>
      {view.given && <Why view={view} calls={calls} />}
      <Related id={board.id} cell={cell} />
    </>
  );
}

function Sureness({ view }: { readonly view: CellView }): JSX.Element {
  return (
    <dl class="bars is-small">
      <dt>{view.digit}</dt>
      <dd>
        <span class="bar is-real" style={{ '--share': view.confidence }} />
        <span class="bar-value">{percent(view.confidence)}</span>
      </dd>
      {view.runnerUp && (
        <>
          <dt>{view.runnerUp.digit}</dt>
          <dd>
            <span class="bar is-expected" style={{ '--share': view.runnerUp.probability }} />
            <span class="bar-value">{percent(view.runnerUp.probability)}</span>
          </dd>
        </>
      )}
    </dl>
  );
}

function Glass({
  ink,
  cell,
  view,
}: {
  readonly ink: Ink | null;
  readonly cell: number;
  readonly view: CellView;
}): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    if (canvas.current && ink) drawInk(canvas.current, ink, cell);
  }, [ink, cell]);
  return (
    <div class={`glass ${view.given ? `by-${readerOf(view.reader).id}` : ''}`} aria-hidden="true">
      {ink ? <canvas ref={canvas} width={28} height={28} /> : <span class="printed">{view.digit || ''}</span>}
    </div>
  );
}

/** Other events that share the component, or resemble the whole board. */
export function Related({ id, cell }: { readonly id: string; readonly cell: number | null }): JSX.Element {
  const [related, setRelated] = useState<RelatedView | null>(null);
  const [failed, setFailed] = useState(false);
  useEffect(() => {
    let wanted = true;
    setFailed(false);
    api.related(id, cell, 5).then(
      (view) => wanted && setRelated(view),
      () => wanted && setFailed(true),
    );
    return () => {
      wanted = false;
    };
  }, [id, cell]);
  const current = related !== null && related.id === id && related.cell === cell ? related : null;
  return (
    <div class="related">
      <h3>{cell === null ? 'Boards like this one' : 'Other boards with this component'}</h3>
      {failed ? (
        <p class="quiet">This event is not in the index any more.</p>
      ) : current === null ? (
        <p class="quiet">Looking …</p>
      ) : current.hits.length === 0 ? (
        <p class="quiet">None yet. The memory grows as boards come in.</p>
      ) : (
        <ol>
          {current.hits.map((hit) => (
            <li key={hit.id}>
              {hit.board ? (
                <EventLink board={hit.board} cell={cell} note={`alike ${hit.score.toFixed(2)}`} title={hit.why} />
              ) : (
                <a href={`/events/${hit.id}`}>event {hit.ordinal}</a>
              )}
            </li>
          ))}
        </ol>
      )}
      {current?.hits[0] && <p class="quiet">{current.hits[0].why}</p>}
    </div>
  );
}

interface FactProps {
  readonly name: string;
  /** Over both columns. */
  readonly wide?: boolean;
  readonly children: ComponentChildren;
}

export function Fact({ name, wide = false, children }: FactProps): JSX.Element {
  return (
    <div class={`fact${wide ? ' is-wide' : ''}`}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
