// How an answer turned out, as somebody tells it: the router learns, a conversation may move, a kept answer that was bad goes. The
// same for the native API and for clients with a key, who may speak about their own answers alone.
import { CairnError } from '../../errors.ts';
import type { OutcomeSource } from '../../route/index.ts';
import type { DecisionRecord } from './explain.ts';
import type { Gateway } from './gateway.ts';
import type { ClientKey } from './keys.ts';
import type { Lesson, OutcomeReport } from './learning.ts';

/** Fields of a report as they come over the wire. */
export type GivenReport = Readonly<Record<string, unknown>>;

/**
 * Takes a report `{ event, outcome, source? }`.
 * @param client the key of who speaks; left out: the owner of the server, who may speak about every event
 * @throws CairnError `not_found`, `bad_outcome`
 */
export async function takeFeedback(
  gateway: Gateway,
  { event, outcome, source }: GivenReport,
  client?: ClientKey,
): Promise<{ event: string } & OutcomeReport & Lesson> {
  const record = typeof event === 'string' ? await gateway.decision(event) : undefined;
  if (record === undefined || (client !== undefined && record.key !== client.name)) throw unknownEvent();
  const report = { outcome: outcome as number, source: (source ?? 'explicit') as OutcomeSource };
  const lesson = await gateway.learning.report(record, report);
  gateway.amend({ ...record, outcome: report.outcome, outcomeSource: report.source });
  if (report.outcome < 0.5) {
    gateway.sessions.unpin(record.id);
    await gateway.answers.drop({ event: record.cache?.from ?? record.id });
  }
  return { event: record.id, ...report, ...lesson };
}

/** Takes back what was told of an event. @throws CairnError `not_found` */
export async function dropFeedback(
  gateway: Gateway,
  event: string,
): Promise<{ event: string; forgotten: boolean; taught: boolean }> {
  const record = await gateway.decision(event);
  if (record === undefined) throw unknownEvent();
  const { outcome, outcomeSource: _source, ...rest } = record satisfies DecisionRecord;
  const taught = await gateway.learning.forget(record.id);
  if (outcome !== undefined) gateway.amend(rest);
  return { event: record.id, forgotten: outcome !== undefined, taught };
}

export function unknownEvent(): CairnError {
  return new CairnError('not_found', 'Expected a decision that was kept, got an unknown event.', {
    hint: 'The header x-cairn-event of an answer names it.',
  });
}
