// One concept with a permalink: its members as pictures, what they have in common, the bucket it was found in, and what would
// be lost with a member or with the concept.
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { api, ApiError } from '../api.ts';
import { count, percent, place } from '../format.ts';
import { drawInk, type Ink, pictureOf } from '../picture.ts';
import { eventPath } from '../router.ts';
import { complain } from '../state.ts';
import { type ConceptLoss, type ConceptView, growthApi } from './data.ts';
import { Row } from './entries.tsx';
import { Sources } from './sources.tsx';

/** Boards whose handwriting is asked for. */
const DRAWN_EVENTS = 8;
const DRAWN_MEMBERS = 60;

export function ConceptPage({ id }: { readonly id: string }): JSX.Element {
  const [view, setView] = useState<ConceptView | null>(null);
  const [fault, setFault] = useState<ApiError | null>(null);
  useEffect(() => {
    let wanted = true;
    setView(null);
    setFault(null);
    document.title = 'Concept · Cairn';
    growthApi.concept(id).then(
      (answer) => {
        if (wanted) setView(answer);
      },
      (error: unknown) => {
        if (!wanted) return;
        if (error instanceof ApiError) setFault(error);
        else complain(error);
      },
    );
    return () => {
      wanted = false;
    };
  }, [id]);
  if (fault) {
    return (
      <div class="missing">
        <h1>This concept is not there</h1>
        <p>{fault.message}</p>
        <p>
          <a href="/growth">To the growth</a>
        </p>
      </div>
    );
  }
  if (view === null) return <div class="growth" aria-busy="true" />;
  const { growth, members, losses, lost } = view;
  return (
    <div class="growth">
      <div class="growth-head">
        <h1>
          Concept {growth.concept} of <code>{growth.module}</code>
        </h1>
        <a class="json" href={`/api/concepts/${id}`} title="This page as JSON">
          JSON
        </a>
      </div>
      <div class="concept-columns">
        <section class="card" aria-label="Members">
          <h2>Members</h2>
          <Members view={view} />
          <p class="quiet">
            {count(members.length)} members in the newest {count(losses.length)} of {count(growth.events)} events.
            Nobody said what they are: they were put together because their sketches say the same.
          </p>
        </section>
        <div class="memory-side">
          <section class="card" aria-label="What they have in common">
            <h2>What they have in common</h2>
            <dl class="facts">
              <Row name="objects">{count(growth.objects)}</Row>
              <Row name="different ones">{count(growth.members)}</Row>
              <Row name="dimensions filled">
                {growth.signature.rank} of {growth.signature.size}
              </Row>
              <Row name="equations satisfied">{count(growth.signature.nullity)}</Row>
              <Row name="spread">{percent(growth.spread)}</Row>
              <Row name="residual of a member">{`at most ${growth.signature.threshold.toPrecision(2)}`}</Row>
            </dl>
            <h3>Mean attributes</h3>
            <Mean values={growth.mean} />
            <h3>Bucket</h3>
            <p class="quiet">
              {growth.bucket === '' ? (
                'All objects of the module lay together.'
              ) : (
                <>
                  Found where these signature bits of their attributes agree: <code>{growth.bucket}</code>
                </>
              )}
            </p>
            <Sources id={id} events={growth.events} />
          </section>
          <Losses losses={losses} lost={lost} />
        </div>
      </div>
    </div>
  );
}

function Members({ view }: { readonly view: ConceptView }): JSX.Element {
  const [inks, setInks] = useState<ReadonlyMap<string, Ink>>(new Map());
  const events = view.losses.slice(0, DRAWN_EVENTS).map(({ event }) => event);
  const key = events.join();
  useEffect(() => {
    let wanted = true;
    for (const event of events) {
      api
        .event(event)
        .then(({ board }) => (board ? pictureOf(board) : null))
        .then(
          (ink) => {
            if (wanted && ink) setInks((known) => new Map([...known, [event, ink]]));
          },
          () => undefined,
        );
    }
    return () => {
      wanted = false;
    };
  }, [key]);
  const cells = view.members.flatMap(({ event, path }) => {
    const ink = inks.get(event);
    const cell = /^0\/0\/(\d+)$/.exec(path)?.[1];
    return ink && cell !== undefined ? [{ event, cell: Number(cell), ink }] : [];
  });
  if (cells.length === 0) {
    return <p class="quiet">These members are no handwriting that can be drawn again.</p>;
  }
  return (
    <ul class="members">
      {cells.slice(0, DRAWN_MEMBERS).map((m) => (
        <li key={`${m.event}${m.cell}`}>
          <a href={eventPath(m.event)} aria-label={`${place(m.cell)} of event ${m.event.slice(0, 8)}`}>
            <Cell ink={m.ink} cell={m.cell} />
          </a>
        </li>
      ))}
    </ul>
  );
}

function Cell({ ink, cell }: { readonly ink: Ink; readonly cell: number }): JSX.Element {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (canvas.current) drawInk(canvas.current, ink, cell);
  }, [ink, cell]);
  return <canvas class="member-ink" ref={canvas} width={28} height={28} />;
}

function Mean({ values }: { readonly values: readonly number[] }): JSX.Element {
  const most = Math.max(1e-9, ...values.map(Math.abs));
  return (
    <div class="mean" role="img" aria-label={`Mean attributes: ${values.map((v) => v.toFixed(2)).join(', ')}`}>
      {values.map((v, i) => (
        <span
          key={i}
          title={`${i}: ${v.toFixed(3)}`}
          style={{ height: `${Math.max(2, (100 * Math.abs(v)) / most)}%` }}
        />
      ))}
    </div>
  );
}

function Losses({ losses, lost }: Pick<ConceptView, 'losses' | 'lost'>): JSX.Element {
  return (
    <section class="card" aria-label="What would be lost">
      <h2>What would be lost</h2>
      <p>
        With the concept: {count(lost.equations)} equations and {count(lost.edges)}{' '}
        {lost.edges === 1 ? 'edge' : 'edges'} of the graph; its {count(lost.objects)} objects stay in their events.
      </p>
      {losses.length > 0 && (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">Forgetting</th>
                <th scope="col">takes</th>
                <th scope="col">leaves</th>
                <th scope="col">mean</th>
                <th scope="col">equations</th>
                <th scope="col">withdraws</th>
              </tr>
            </thead>
            <tbody>
              {losses.slice(0, 8).map((loss) => (
                <Loss key={loss.event} loss={loss} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      <p class="quiet">Subtracting is exact: afterwards the concept is as if the event had never been seen.</p>
    </section>
  );
}

function Loss({ loss }: { readonly loss: ConceptLoss }): JSX.Element {
  return (
    <tr>
      <td>
        <a href={eventPath(loss.event)}>
          <code>{loss.event.slice(0, 8)}</code>
        </a>
      </td>
      <td>{count(loss.objects)}</td>
      <td>{count(loss.left)}</td>
      <td>{percent(loss.shift)}</td>
      <td>{loss.similarity > 0.999999 ? 'same' : percent(loss.similarity)}</td>
      <td>{loss.withdrawn.length === 0 ? 'nothing' : count(loss.withdrawn.length)}</td>
    </tr>
  );
}
