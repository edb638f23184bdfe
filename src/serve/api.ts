// The native HTTP API of boards and events. Every view of the studio is one of these answers; nothing here knows HTML.
import type { Context, Hono } from 'hono';
import { CairnError } from '../errors.ts';
import { readImage, readJson } from './_body.ts';
import type { Lane } from './_lane.ts';
import { toDigits, toEventId, toInteger } from './_query.ts';
import { recallTexts } from './notes-api.ts';
import type { BoardService } from './service.ts';
import type { TextMemory } from '../memory/index.ts';

/** Largest page of a list. */
export const MAX_PAGE = 100;

/** What the routes stand on. */
export interface ApiParts {
  /** Resolves when the memory and the models are open. */
  readonly boards: () => Promise<BoardService>;
  /** The remembered texts, opened when they are first asked for. */
  readonly notes: () => Promise<TextMemory>;
  /** Pictures of users are worked on here, a few at a time. */
  readonly lane: Lane;
  /** Tells every reader of the event stream. */
  readonly publish: (event: string, data: unknown) => void;
}

/** Adds the routes of events, recall, asking and forgetting. */
export function addApi(app: Hono, parts: ApiParts): void {
  app.get('/api', (c) => c.json({ name: 'cairn', endpoints: ENDPOINTS }));

  app.get('/api/events', async (c) => {
    const limit = toInteger('limit', c.req.query('limit'), 1, MAX_PAGE) ?? 20;
    const before = toInteger('before', c.req.query('before'), 1, Number.MAX_SAFE_INTEGER);
    const events = await (await parts.boards()).list({ limit, ...(before === undefined ? {} : { before }) });
    const last = events.at(-1);
    const next = events.length === limit && last !== undefined && last.ordinal > 1 ? last.ordinal : null;
    return c.json({ events, next });
  });

  app.get('/api/events/:id', async (c) => c.json(await (await parts.boards()).event(idOf(c))));

  app.get('/api/events/:id/erase', async (c) => {
    const id = idOf(c);
    const keep = toInteger('keep', c.req.query('keep'), 1, 65_536);
    if (keep === undefined) {
      throw new CairnError('bad_query', 'Expected keep, the count of numbers that stay, got none.', {
        hint: 'Ask for example /api/events/<id>/erase?keep=256.',
      });
    }
    return c.json(await (await parts.boards()).erase(id, keep));
  });

  app.get('/api/events/:id/related', async (c) => {
    const id = idOf(c);
    const cell = toInteger('cell', c.req.query('cell'), 0, 80);
    const k = toInteger('k', c.req.query('k'), 1, 50) ?? 8;
    return c.json(await (await parts.boards()).related(id, cell, k));
  });

  app.get('/api/events/:id/picture', async (c) => {
    const picture = await (await parts.boards()).picture(idOf(c));
    if (picture === null) {
      throw new CairnError(
        'not_found',
        'Expected the handwriting of this event, got an event whose picture was not kept.',
        {
          hint: 'Pictures of users are not stored; the digits as read are in /api/events/<id>.',
        },
      );
    }
    c.header('Cache-Control', 'private, max-age=604800, immutable');
    return c.json(picture);
  });

  app.get('/api/events/:id/sketch', async (c) => {
    const id = idOf(c);
    return c.json(await (await parts.boards()).sketch(id));
  });

  app.get('/api/totals', async (c) => c.json(await (await parts.boards()).totals()));

  const recall = async (c: Context, cue: Readonly<Record<string, unknown>>): Promise<Response> => {
    if (cue['text'] !== undefined) return recallTexts(c, parts.notes, cue);
    const k = toInteger('k', cue['k'], 1, 50) ?? 8;
    const boards = await parts.boards();
    if (cue['event'] !== undefined) {
      const cell = toInteger('cell', cue['cell'], 0, 80);
      return c.json(await boards.related(toEventId(cue['event']), cell, k));
    }
    if (cue['digits'] === undefined) {
      throw new CairnError('bad_query', 'Expected a cue to recall by, got none.', {
        hint: 'Send text=<question>, or event=<id> (and cell=0…80), or digits=<81 characters, "." for unknown>.',
      });
    }
    const digits = toDigits(cue['digits']);
    return c.json({ hits: await boards.recall({ digits }, k) });
  };
  app.get('/api/recall', (c) => recall(c, c.req.query()));
  app.post('/api/recall', async (c) => recall(c, await readJson(c)));

  app.post('/api/ask', async (c) => {
    const png = await readImage(c);
    const name = (c.req.query('name') ?? '').replace(/[^\w .()-]/g, '').slice(0, 80);
    const signal = c.req.raw.signal;
    const boards = await parts.boards();
    const board = await parts.lane.run(() => boards.askImage(png, { signal, ...(name === '' ? {} : { name }) }));
    parts.publish('board', board);
    return c.json(board, 201);
  });

  const forget = async (c: Context, id: string, body: Readonly<Record<string, unknown>>): Promise<Response> => {
    const keep = toInteger('keep', body['keep'], 1, 65_536);
    const boards = await parts.boards();
    const erased = await boards.forget(id, keep === undefined ? 'subtract' : { keep });
    parts.publish('forgotten', { id, keep: keep ?? 0 });
    parts.publish('totals', await boards.totals());
    return c.json(erased);
  };
  app.post('/api/events/:id/forget', async (c) => forget(c, idOf(c), await readJson(c)));
  app.post('/api/forget', async (c) => {
    const body = await readJson(c);
    return forget(c, toEventId(body['id']), body);
  });

  const feedback = async (c: Context, id: string, body: Readonly<Record<string, unknown>>): Promise<Response> => {
    const boards = await parts.boards();
    const { right } = body;
    const cells = Array.isArray(body['cells']) ? body['cells'].map(toCorrection) : undefined;
    if (typeof right !== 'boolean' && cells === undefined) {
      throw new CairnError('bad_query', 'Expected "right": true or false, or corrected "cells", got neither.', {
        hint: 'Send for example {"cells": [{"cell": 12, "digit": 7}]}.',
      });
    }
    await boards.feedback(id, {
      ...(typeof right === 'boolean' ? { right } : {}),
      ...(cells === undefined ? {} : { cells }),
    });
    return c.json({ id, learned: true });
  };
  app.post('/api/events/:id/feedback', async (c) => feedback(c, idOf(c), await readJson(c)));
  app.post('/api/feedback', async (c) => {
    const body = await readJson(c);
    return feedback(c, toEventId(body['id']), body);
  });
}

function idOf(c: Context): string {
  return toEventId(c.req.param('id'));
}

function toCorrection(value: unknown): { readonly cell: number; readonly digit: number } {
  const given: Readonly<Record<string, unknown>> = typeof value === 'object' && value !== null ? { ...value } : {};
  const cell = toInteger('cell', given['cell'], 0, 80);
  const digit = toInteger('digit', given['digit'], 0, 9);
  if (cell !== undefined && digit !== undefined) return { cell, digit };
  throw new CairnError('bad_query', 'Expected a cell and its digit, got an entry without them.', {
    hint: 'Send for example {"cells": [{"cell": 12, "digit": 7}]}.',
  });
}

const ENDPOINTS = [
  'GET /healthz',
  'GET /metrics',
  'GET /api/events?limit=&before=',
  'GET /api/events/:id',
  'GET /api/events/:id/erase?keep=',
  'GET /api/events/:id/related?cell=&k=',
  'GET /api/events/:id/picture',
  'GET /api/events/:id/sketch',
  'POST /api/events/:id/feedback',
  'POST /api/events/:id/forget',
  'GET /api/totals',
  'GET|POST /api/recall',
  'POST /api/remember?name=&format=',
  'GET /api/sources',
  'POST /api/sources/forget',
  'GET /api/texts/:id',
  'POST /api/texts/:id/forget',
  'GET /api/growth',
  'GET /api/growth/:id?limit=',
  'GET /api/concepts/:id',
  'POST /api/grow',
  'POST /api/ask',
  'GET|POST /api/speech',
  'POST /api/speech/live?rate=',
  'POST /api/speech/live/:id?last=1',
  'POST /api/feedback',
  'POST /api/forget',
  'GET /api/stream',
  'GET /api/stream/state',
  'POST /api/stream/{pause,resume,step,speed}',
  'GET /api/models',
  'GET|POST /api/models',
  'GET|DELETE /api/models/:id?only=profile',
  'GET /api/route/{decisions,curve,own-curve,totals,learning}',
  'GET /api/route/explain/:event',
  'POST /api/route/explain',
  'POST /api/route/feedback',
  'DELETE /api/route/feedback/:event',
  'GET /api/budgets',
  'GET|DELETE /api/cache?key=&event=',
  'GET /v1/models',
] as const;
