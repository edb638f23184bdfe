// The HTTP API of growth: what was found and when, from which events, concepts with their members, and growing on demand.
import type { Hono } from 'hono';
import { CairnError } from '../errors.ts';
import type { GrowthKind, GrowthService } from '../mind/index.ts';
import { readJson } from './_body.ts';
import type { Grower } from './_grower.ts';
import { toInteger } from './_query.ts';

export interface GrowthParts {
  /** Undefined: nothing can grow. */
  readonly growths: () => Promise<GrowthService | undefined>;
  readonly grower: Grower;
}

const KINDS: readonly GrowthKind[] = ['concept', 'circuit', 'module'];
/** Events of one growth in one answer. */
const MOST_EVENTS = 200;

/** Adds `GET /api/growth`, `GET /api/growth/:id`, `GET /api/concepts/:id` and `POST /api/grow`. */
export function addGrowthApi(app: Hono, { growths, grower }: GrowthParts): void {
  const expected = async (): Promise<GrowthService> => {
    const service = await growths();
    if (service) return service;
    throw new CairnError('not_available', 'Expected a memory that can grow, got a service without.');
  };
  app.get('/api/growth', async (c) => c.json({ ...grower.state, growths: (await growths())?.list() ?? [] }));

  app.get('/api/growth/:id', async (c) => {
    const service = await expected();
    const growth = service.get(c.req.param('id'));
    const limit = toInteger('limit', c.req.query('limit'), 1, MOST_EVENTS) ?? 50;
    const events = [...service.eventsOf(growth.id)].reverse().slice(0, limit);
    return c.json({ growth, events });
  });

  app.get('/api/concepts/:id', async (c) => c.json(await (await expected()).concept(c.req.param('id'))));

  app.post('/api/grow', async (c) => {
    const { kinds, again } = await readJson(c);
    await grower.start({
      ...(kinds === undefined ? {} : { kinds: toKinds(kinds) }),
      ...(again === undefined ? {} : { again: again === true }),
    });
    return c.json({ ...grower.state }, 202);
  });
}

function toKinds(value: unknown): GrowthKind[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  const known = KINDS.filter((kind) => list.includes(kind));
  if (list.length > 0 && known.length === list.length) return known;
  throw new CairnError('bad_query', `Expected kinds out of ${KINDS.join(', ')}, got others.`, {
    hint: 'Leave kinds out to look for all three.',
  });
}
