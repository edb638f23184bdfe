// Decisions as they happen, for whoever watches: the latest few, several times a second, never more than a page can show.
import type { Hub } from '../_hub.ts';
import type { DecisionRecord } from './explain.ts';
import type { Gateway } from './gateway.ts';

const EVERY_MS = 300;
const MOST = 20;

/** Publishes `decisions` events `{ latest, totals }` while somebody reads. */
export function feedDecisions(gateway: Gateway, hub: Hub): void {
  let latest: DecisionRecord[] = [];
  let timer: NodeJS.Timeout | undefined;
  gateway.onDecision((record) => {
    if (hub.readers === 0) return;
    latest.push(record);
    if (latest.length > MOST) latest.shift();
    timer ??= setTimeout(() => {
      timer = undefined;
      hub.publish('decisions', { latest, totals: gateway.metrics.totals() });
      latest = [];
    }, EVERY_MS).unref();
  });
}
