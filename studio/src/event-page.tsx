// One event with a permalink: the board, why it was answered so, the proof, the nested calls, the sketch, where it came from, and
// what is like it. The same facts are JSON at /api/events/<id>.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { EventView } from '../../src/mind/boards/view.ts';
import { api, ApiError } from './api.ts';
import { BoardTable } from './board-table.tsx';
import { Calls, callsOf } from './calls.tsx';
import { useErasure } from './eraser.tsx';
import { Forget } from './forget.tsx';
import { bytes, count, dateTime } from './format.ts';
import { Fact, Inspector, Related } from './inspector.tsx';
import { pictureOf, type Ink } from './picture.ts';
import { Proof } from './proof.tsx';

interface Loaded {
  readonly event: EventView;
  readonly ink: Ink | null;
}

export function EventPage({ id }: { readonly id: string }): JSX.Element {
  const [loaded, setLoaded] = useState<Loaded | null>(null);
  const [fault, setFault] = useState<ApiError | null>(null);
  const [cell, setCell] = useState<number | null>(null);
  const [keep, setKeep] = useState<number | null>(null);
  const [step, setStep] = useState<number | null>(null);
  const [version, setVersion] = useState(0);

  useEffect(() => {
    let wanted = true;
    setCell(null);
    setKeep(null);
    setStep(null);
    setFault(null);
    const load = async (): Promise<void> => {
      try {
        const event = await api.event(id);
        const ink = event.board ? await pictureOf(event.board) : null;
        if (wanted) setLoaded({ event, ink });
      } catch (error) {
        if (!wanted) return;
        setFault(
          error instanceof ApiError
            ? error
            : new ApiError(0, 'internal', 'The page could not be loaded.', String(error)),
        );
      }
    };
    void load();
    return () => {
      wanted = false;
    };
  }, [id, version]);

  const now = loaded?.event.id === id ? loaded : null;
  const board = now?.event.board ?? null;
  useEffect(() => {
    document.title = board ? `Board ${board.ordinal} · Cairn` : 'Cairn';
  }, [board]);
  const erasure = useErasure(board, keep);
  if (fault) return <Missing fault={fault} />;
  if (!now || !board) return <div class="page" aria-busy="true" />;
  const { event, ink } = now;
  return (
    <div class="page">
      <div class="left is-sticky">
        <BoardTable
          board={board}
          ink={ink}
          erasure={erasure}
          keep={keep}
          cell={cell}
          marked={step === null ? [] : (event.proof[step]?.cells ?? [])}
          placed={step === null ? null : placedBy(event, step)}
          pace="still"
          onCell={setCell}
          onKeep={setKeep}
          action={
            <a class="json" href={`/api/events/${id}`} title="This page as JSON">
              JSON
            </a>
          }
        />
      </div>
      <div class="right">
        <Inspector
          board={board}
          ink={ink}
          cell={cell}
          erasure={erasure}
          calls={cell === null ? [] : callsOf(event.call, cell)}
          onClose={() => setCell(null)}
        />
        <Proof event={event} step={step} onStep={setStep} />
        <section class="card" aria-label="Calls">
          <h2>How it was answered</h2>
          <Calls call={event.call} onCell={setCell} />
        </section>
        {cell === null && (
          <section class="card">
            <Related id={id} cell={null} />
          </section>
        )}
        <section class="card" aria-label="Record">
          <h2>Record</h2>
          <dl class="facts">
            <Fact name="when">{dateTime(event.at)}</Fact>
            <Fact name="digits">{board.exact ? 'decoded without loss' : 'decoded with loss'}</Fact>
            {provenanceOf(event).map(([name, value]) => (
              <Fact key={name} name={name}>
                {value}
              </Fact>
            ))}
            <Fact name="sketch" wide>
              {count(event.sketch.kept)} of {count(event.sketch.dims)} numbers, {event.sketch.bits} bits,{' '}
              {bytes(event.sketch.bytes)}
            </Fact>
            <Fact name="receipt" wide>
              {bytes(event.sketch.receiptBytes)}: who read what, cost, proof
            </Fact>
            <Fact name="id" wide>
              <code>{id}</code>
            </Fact>
          </dl>
          <Forget board={board} keep={keep} onChanged={() => setVersion(version + 1)} />
        </section>
      </div>
    </div>
  );
}

/** Cells that the proof has filled up to a step; null when its steps put down no digits. */
function placedBy(event: EventView, step: number): ReadonlySet<number> | null {
  if (!event.proof.some((s) => s.place)) return null;
  return new Set(event.proof.slice(0, step + 1).flatMap((s) => (s.place ? [s.place.cell] : [])));
}

/** Plain entries of the provenance; anything nested stays in the JSON. */
function provenanceOf(event: EventView): [string, string][] {
  const { provenance } = event;
  if (typeof provenance !== 'object' || provenance === null || Array.isArray(provenance)) return [];
  return Object.entries(provenance).flatMap(([name, value]) =>
    typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
      ? [[name, String(value)] as [string, string]]
      : [],
  );
}

function Missing({ fault }: { readonly fault: ApiError }): JSX.Element {
  const gone = fault.status === 404 || fault.status === 410;
  return (
    <div class="missing">
      <h1>{gone ? 'Nothing is remembered here' : 'This event cannot be shown'}</h1>
      <p>{fault.message}</p>
      {fault.hint && <p class="quiet">{fault.hint}</p>}
      <p>
        <a href="/">To the boards</a>
      </p>
    </div>
  );
}
