// The live side of the API: server-sent events for watchers, and the controls of the stream (pause, resume, step, speed).
import type { Hono } from 'hono';
import type { BoardView } from '../mind/index.ts';
import { readJson } from './_body.ts';
import type { Hub } from './_hub.ts';
import type { BoardStream } from './stream.ts';

/** What the routes stand on. */
export interface StreamParts {
  readonly hub: Hub;
  readonly stream: BoardStream<BoardView>;
}

/** Adds `GET /api/stream` and its controls. */
export function addStreamApi(app: Hono, { hub, stream }: StreamParts): void {
  app.get('/api/stream', (c) => {
    const body = hub.subscribe({ state: stream.state }, c.req.header('last-event-id') ?? c.req.query('lastEventId'));
    return c.body(body, 200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      'X-Accel-Buffering': 'no',
    });
  });

  app.get('/api/stream/state', (c) => c.json(stream.state));
  app.post('/api/stream/pause', (c) => {
    stream.pause();
    return c.json(stream.state);
  });
  app.post('/api/stream/resume', (c) => {
    stream.resume();
    return c.json(stream.state);
  });
  app.post('/api/stream/step', async (c) => {
    const board = await stream.step();
    return c.json({ state: stream.state, board });
  });
  app.post('/api/stream/speed', async (c) => {
    const { speed } = await readJson(c);
    const query = c.req.query('speed');
    stream.setSpeed(query === undefined || query === 'max' ? (query ?? speed) : Number(query));
    return c.json(stream.state);
  });
}
