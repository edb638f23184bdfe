// The gateway's native API: what the studio shows of it. Every answer is JSON; nothing here holds a prompt or a secret.
import type { Context, Hono } from 'hono';
import { CairnError } from '../../errors.ts';
import { readJson } from '../_body.ts';
import { toInteger } from '../_query.ts';
import { configSchema } from './config.ts';
import { planRecord } from './explain.ts';
import { dropFeedback, takeFeedback, unknownEvent } from './feedback.ts';
import type { Gateway } from './gateway.ts';
import { outcomesOverTime } from './outcomes-over-time.ts';
import { promptDrift } from './prompt-drift.ts';
import { ownCurve } from './own-traffic.ts';
import { makePlan } from './plan.ts';
import { toChatRequest } from './request.ts';
import { wordShares } from './word-shares.ts';

/** Adds the routes of models, decisions, explanations, curves and budgets. */
export function addGatewayApi(app: Hono, open: () => Promise<Gateway>): void {
  app.get('/api/models', async (c) => c.json({ models: modelsOf(await open()) }));

  app.post('/api/models', async (c) => {
    const { model, yes, dryRun, maxCalls } = await readJson(c);
    const profile = await (
      await open()
    ).profiles.add({
      model,
      yes: yes === true,
      dryRun: dryRun === true,
      maxCalls: toInteger('maxCalls', maxCalls, 1, 200) ?? 200,
    });
    return c.json({ profile }, dryRun === true ? 200 : 202);
  });

  // Ids of models may hold slashes.
  app.get('/api/models/:id{.+}', async (c) => {
    const gateway = await open();
    const model = modelsOf(gateway).find((m) => m.id === c.req.param('id'));
    if (model === undefined) throw noModel();
    return c.json({ model });
  });

  app.delete('/api/models/:id{.+}', async (c) => {
    const gateway = await open();
    const id = c.req.param('id');
    if (c.req.query('only') === 'profile') return c.json({ id, cancelled: await gateway.profiles.cancel(id) });
    if (!(await gateway.removeModel(id))) throw noModel();
    return c.json({ id, removed: true });
  });

  app.get('/api/route/decisions', async (c) => {
    const limit = toInteger('limit', c.req.query('limit'), 1, 500) ?? 50;
    const before = toInteger('before', c.req.query('before'), 1, Number.MAX_SAFE_INTEGER);
    return c.json({ decisions: await (await open()).decisions(limit, before) });
  });

  app.get('/api/route/explain/:event', async (c) => {
    const gateway = await open();
    const record = await gateway.decision(c.req.param('event'));
    if (record === undefined) throw unknownEvent();
    return c.json({ decision: record, otherwise: otherwise(record) });
  });

  app.post('/api/route/explain', async (c) => {
    const gateway = await open();
    const body = await readJson(c);
    const request = toChatRequest({
      model: 'cairn/auto',
      ...(typeof body['prompt'] === 'string' ? { messages: [{ role: 'user', content: body['prompt'] }] } : {}),
      ...body,
    } as never);
    const { pool, prompts } = gateway.current;
    const plan = makePlan({
      request,
      pool,
      prompts,
      key: undefined,
      session: undefined,
      pin: undefined,
      maxCostUsd: undefined,
      now: gateway.now(),
      degraded: false,
    });
    const { online } = gateway.current;
    const corrected =
      online === undefined || plan.decision === undefined ? undefined : online.corrected(plan.decision)[0]!;
    return c.json({
      ask: plan.ask,
      inTokens: request.inTokens,
      ...planRecord(plan),
      ...(plan.decision === undefined
        ? {}
        : {
            words: wordShares(prompts!.router, plan.ask, request.inTokens, [
              plan.arms[0]!.arm.id,
              plan.arms[1]?.arm.id,
            ]),
          }),
      ...(corrected === undefined
        ? {}
        : {
            learned: {
              id: corrected.id,
              expectedError: corrected.expectedError,
              weight: online!.standing().learnedWeight,
            },
          }),
    });
  });

  app.post('/api/route/feedback', async (c) => {
    const gateway = await open();
    const taken = await takeFeedback(gateway, await readJson(c));
    return c.json({ ...taken, learning: gateway.learning.view() });
  });

  app.delete('/api/route/feedback/:event', async (c) => {
    const gateway = await open();
    const dropped = await dropFeedback(gateway, c.req.param('event'));
    return c.json({ ...dropped, learning: gateway.learning.view() });
  });

  app.get('/api/route/learning', async (c) => c.json((await open()).learning.view()));

  app.get('/api/route/curve', async (c) => {
    const { prompts } = (await open()).current;
    if (prompts === undefined) return c.json({ fitted: false });
    const { curve, point, arms } = prompts.router;
    return c.json({
      fitted: true,
      version: prompts.router.version,
      prompts: curve.prompts,
      arms: arms.map((arm) => arm.id),
      point,
      best: { ...curve.best, id: arms[curve.best.arm]?.id },
      points: curve.points,
    });
  });

  app.get('/api/route/own-curve', async (c) => c.json(ownCurve(await (await open()).decisions(2_000))));

  app.get('/api/route/outcomes', async (c) => {
    const gateway = await open();
    const records = await gateway.decisions(20_000);
    const router = gateway.current.prompts?.router;
    return c.json({
      ...outcomesOverTime(records),
      ...(router === undefined ? {} : { prompts: promptDrift(router, records) }),
    });
  });

  app.get('/api/route/totals', async (c) => {
    const gateway = await open();
    return c.json({
      ...gateway.metrics.totals(),
      reference: gateway.current.pool.reference()?.id ?? null,
      router: gateway.current.prompts?.router.version ?? null,
    });
  });

  app.get('/api/budgets', async (c) => {
    const gateway = await open();
    const keys = await gateway.keys.list();
    const whole = await gateway.ledger.view(gateway.config, { key: undefined, session: undefined });
    const perKey = await Promise.all(
      keys.map(({ name }) =>
        gateway.ledger.view(
          { ...gateway.config, budgets: gateway.config.budgets.filter((b) => b.scope === 'key') },
          { key: name, session: undefined },
        ),
      ),
    );
    return c.json({ budgets: [...whole, ...perKey.flat()] });
  });

  app.get('/api/cache', async (c) => {
    const gateway = await open();
    const { cache, usd } = { cache: gateway.config.cache, usd: gateway.metrics.cacheSavedUsd };
    return c.json({
      ...(await gateway.answers.view(cache)),
      savedUsd: usd,
      counts: Object.fromEntries(gateway.metrics.cache),
    });
  });
  app.delete('/api/cache', async (c) => {
    const gateway = await open();
    const { key, event } = c.req.query();
    const which = event !== undefined ? { event } : key !== undefined ? { key } : 'all';
    return c.json({ dropped: await gateway.answers.drop(which) });
  });

  app.get('/api/gateway/schema', (c) => c.json(configSchema()));
  app.get('/api/gateway/config', async (c) => {
    const gateway = await open();
    return c.json(gateway.redactValue(gateway.config) as object);
  });
  app.get('/api/gateway/file', async (c) => c.json((await open()).file() as object));
  app.put('/api/gateway/file', async (c) => {
    const { version, config, check } = await readJson(c);
    if (typeof version !== 'string' || config === undefined) {
      throw new CairnError('bad_config', 'Expected "version" and "config", got a body without them.', {
        hint: 'GET /api/gateway/file gives both; send them back with the change.',
      });
    }
    return c.json((await (await open()).edit(version, config, check === true)) as object);
  });
  app.post('/api/gateway/reload', async (c) => reload(c, await open()));
}

async function reload(c: Context, gateway: Gateway): Promise<Response> {
  return c.json({ reloaded: await gateway.reload() });
}

/** Configured models with their prices, their health and what the router knows of them. */
function modelsOf(gateway: Gateway): (object & { readonly id: string })[] {
  const { pool, prompts } = gateway.current;
  const now = gateway.now();
  return [...pool.arms.values()].map((arm) => {
    const at = prompts?.router.arms.findIndex((a) => a.id === arm.id) ?? -1;
    const estimate = at >= 0 ? prompts!.router.estimates[at]! : undefined;
    return {
      ...arm.config,
      health: arm.breaker.state(now),
      waitMs: arm.breaker.waitMs(now),
      inFlight: arm.gate.inside,
      queued: arm.gate.queued,
      ...(gateway.profiles.view(arm.id) === undefined ? {} : { profile: gateway.profiles.view(arm.id) }),
      ...(estimate === undefined
        ? { profiled: false }
        : { profiled: true, meanError: estimate.mean, labelled: estimate.count, meanCostUsd: estimate.meanCost }),
    };
  });
}

/** Which model other values of lambda would have chosen, from the numbers that were kept. */
function otherwise(record: {
  readonly arms: readonly { id: string; expectedError?: number; expectedCost: number }[];
}): object[] {
  const known = record.arms.filter((arm) => arm.expectedError !== undefined);
  if (known.length === 0) return [];
  const scale = Math.max(...known.map((arm) => arm.expectedCost)) || 1;
  return [0, 0.01, 0.03, 0.1, 0.3, 1, 3].map((lambda) => {
    const score = (arm: { expectedError?: number; expectedCost: number }): number =>
      arm.expectedError! + (lambda * arm.expectedCost) / scale;
    const best = known.reduce((a, b) => (score(b) < score(a) ? b : a));
    return { lambda, model: best.id, expectedError: best.expectedError, expectedCost: best.expectedCost };
  });
}

function noModel(): CairnError {
  return new CairnError('not_found', 'Expected a model of this gateway, got another name.', {
    hint: 'GET /api/models lists them.',
  });
}
