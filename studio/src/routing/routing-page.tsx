// The gateway: which models there are, what was decided and why, what it cost and saved, and what another price of error would do.
import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { complain } from '../state.ts';
import { ConfigEditor } from './config-editor.tsx';
import { Curve } from './curve.tsx';
import {
  addDecisions,
  decisions,
  gatewayTotals,
  type FittedCurve,
  type KeptView,
  type LearningView,
  type ModelRow,
  type OutcomesOverTime,
  type OwnCurve,
  routingApi,
} from './data.ts';
import { DecisionCard, DecisionList } from './decision.tsx';
import { DryRun } from './dry-run.tsx';
import { Kept } from './kept.tsx';
import { Learned } from './outcome.tsx';
import { Pool } from './pool.tsx';
import { usd } from '../format.ts';
import { Setup } from './setup.tsx';

const REFRESH_MS = 5_000;

export function RoutingPage(): JSX.Element {
  const [models, setModels] = useState<readonly ModelRow[] | null>(null);
  const [own, setOwn] = useState<OwnCurve | null>(null);
  const [fitted, setFitted] = useState<FittedCurve | null>(null);
  const [learning, setLearning] = useState<LearningView | null>(null);
  const [kept, setKept] = useState<KeptView | null>(null);
  const [over, setOver] = useState<OutcomesOverTime | null>(null);
  const [changes, setChanges] = useState(0);
  const [chosen, setChosen] = useState<string | null>(null);

  useEffect(() => {
    document.title = 'Routing · Cairn';
    let wanted = true;
    const refresh = async (): Promise<void> => {
      const [list, totals, curve, measured, taught, held] = await Promise.all([
        routingApi.models(),
        routingApi.totals(),
        routingApi.ownCurve(),
        routingApi.curve(),
        routingApi.learning(),
        routingApi.kept(),
      ]);
      if (!wanted) return;
      setModels(list.models);
      gatewayTotals.value = totals;
      setOwn(curve);
      setFitted(measured);
      setLearning(taught);
      setKept(held);
    };
    refresh().catch(complain);
    routingApi.decisions().then((page) => addDecisions(page.decisions), complain);
    const timer = setInterval(() => void refresh().catch(() => undefined), REFRESH_MS);
    return () => {
      wanted = false;
      clearInterval(timer);
    };
  }, [changes]);

  // It reads many decisions: asked for when an outcome was told or taken back, not at every look.
  const told = learning?.outcomes;
  useEffect(() => {
    if (told !== undefined) routingApi.outcomes().then(setOver, complain);
  }, [told]);

  const onChange = (): void => setChanges((n) => n + 1);
  const totals = gatewayTotals.value;
  const list = decisions.value;
  const decision = list.find((d) => d.id === chosen) ?? list[0] ?? null;
  if (models === null) return <div class="page" aria-busy="true" />;
  if (models.length === 0) return <Setup onChange={onChange} />;
  return (
    <div class="routing">
      <h1>Routing</h1>
      <section class="card figures" aria-label="Totals">
        <Figure
          name="requests"
          value={String(totals?.requests ?? 0)}
          note={totals && totals.failed > 0 ? `${totals.failed} failed` : 'none failed'}
        />
        <Figure name="spent" value={usd(totals?.usd ?? 0)} note="upstream, by the configured prices" />
        <Figure
          name="saved"
          value={usd(totals?.savedUsd ?? 0)}
          note={totals?.reference ? `against ${totals.reference} at the same tokens` : ''}
        />
        <Figure
          name="fallbacks"
          value={String(totals?.fallbacks ?? 0)}
          note="answered by another model than the first choice"
        />
        <Figure
          name="our own time"
          value={`${(totals?.overheadMs ?? 0).toFixed(1)} ms`}
          note="mean, outside the upstream call"
        />
      </section>
      <div class="routing-columns">
        <div>
          <Pool models={models} totals={totals} router={totals?.router ?? null} onChange={onChange} />
          <DryRun />
          <Curve own={own} fitted={fitted} />
          {kept && (kept.exact || kept.semantic) && <Kept kept={kept} />}
          {learning && <Learned learning={learning} over={over} />}
          <ConfigEditor onChange={onChange} />
        </div>
        <div>
          <DecisionList list={list} chosen={decision?.id ?? null} onChoose={setChosen} />
          {decision && <DecisionCard decision={decision} />}
        </div>
      </div>
    </div>
  );
}

function Figure({
  name,
  value,
  note,
}: {
  readonly name: string;
  readonly value: string;
  readonly note: string;
}): JSX.Element {
  return (
    <div>
      <span class="quiet">{name}</span>
      <b>{value}</b>
      <span class="quiet note">{note}</span>
    </div>
  );
}
