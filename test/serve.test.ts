// The server over real HTTP, on the fixture service: every endpoint, hostile input, streams, faults, closing.
import { request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CairnError } from '../src/errors.ts';
import { createServer, type CairnServer } from '../src/serve/index.ts';
import { createFixtureBoards } from './_fixtures/boards.ts';

const boards = createFixtureBoards({ startAt: 12 });
const faults: string[] = [];
let server: CairnServer;

beforeAll(async () => {
  server = await createServer({
    boards: async () => boards,
    port: 0,
    onFault: (error, where) => faults.push(`${where}: ${String(error)}`),
  });
  await server.ready;
});
afterAll(() => server.close());

interface Got {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed JSON of any shape, or the text. */
  readonly body: ReturnType<JSON['parse']>;
}

async function get(path: string, init: RequestInit = {}, base = server.url): Promise<Got> {
  const response = await fetch(new URL(path, base), init);
  const text = await response.text();
  const json = (response.headers.get('content-type') ?? '').includes('json');
  return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : text };
}

function post(path: string, body: unknown): Promise<Got> {
  return get(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

/** A request that fetch would not send: raw bytes on a socket. Resolves with everything that comes back. */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1', () => socket.end(text));
    let out = '';
    socket.on('data', (chunk: Buffer) => (out += chunk.toString('latin1')));
    socket.on('close', () => resolve(out));
    socket.on('error', reject);
  });
}

test('binds to this machine only and is ready', async () => {
  expect(server.url).toBe(`http://127.0.0.1:${server.port}/`);
  const { status, body } = await get('/healthz');
  expect(status).toBe(200);
  expect(body).toMatchObject({ ok: true, ready: true });
});

test('events come newest first, page by page, each once', async () => {
  const seen: number[] = [];
  for (let path: string | null = '/api/events?limit=5'; path !== null;) {
    const { body } = await get(path);
    seen.push(...body.events.map((e: { ordinal: number }) => e.ordinal));
    path = body.next === null ? null : `/api/events?limit=5&before=${body.next}`;
  }
  expect(seen).toHaveLength(13);
  expect(seen).toEqual([...seen].sort((a, b) => b - a));
  expect(new Set(seen).size).toBe(13);
});

test('every view of an event has its JSON', async () => {
  const { body: list } = await get('/api/events?limit=1');
  const { id } = list.events[0];
  const { body: event } = await get(`/api/events/${id}`);
  expect(event.id).toBe(id);
  expect(event.board.cells).toHaveLength(81);
  expect(event.call.calls.length).toBeGreaterThan(0);
  const { body: erased } = await get(`/api/events/${id}/erase?keep=256`);
  expect(erased).toMatchObject({ id, kept: 256 });
  expect(erased.cells).toHaveLength(81);
  expect((await get(`/api/events/${id}/related?cell=40&k=3`)).body).toMatchObject({ id, cell: 40 });
  expect((await get(`/api/events/${id}/related`)).body.cell).toBeNull();
  const picture = await get(`/api/events/${id}/picture`);
  expect(Buffer.from(picture.body.cells, 'base64')).toHaveLength(81 * 784);
  expect(picture.headers.get('cache-control')).toContain('immutable');
  expect((await get(`/api/events/${id}/sketch`)).body.values).toHaveLength(1_024);
  expect((await get('/api/totals')).body.boards).toBe(13);
  expect((await get(`/api/recall?event=${id}&k=2`)).body.hits).toHaveLength(2);
  const digits = event.board.cells.map((c: { digit: number }) => c.digit).join('');
  const { body: recalled } = await post('/api/recall', { digits, k: 1 });
  expect(recalled.hits[0].id).toBe(id);
});

test('metrics are Prometheus text', async () => {
  const { headers, body } = await get('/metrics');
  expect(headers.get('content-type')).toContain('text/plain; version=0.0.4');
  expect(body).toMatch(/^cairn_boards_total\{outcome="proved"\} \d+$/m);
  expect(body).toMatch(/^cairn_up 1$/m);
});

test('without configured models the gateway says that it has none', async () => {
  expect((await get('/v1/models')).body).toEqual({ object: 'list', data: [] });
  const chat = await post('/v1/chat/completions', {
    model: 'cairn/auto',
    messages: [{ role: 'user', content: 'Hello' }],
  });
  expect(chat.status).toBe(400);
  expect(chat.body.error).toMatchObject({ code: 'no_eligible_model', type: 'invalid_request_error', param: null });
  expect(chat.body.error.message).toContain('--config');
});

test.each([
  ['/api/events?limit=0', 400, 'bad_query'],
  ['/api/events?limit=101', 400, 'bad_query'],
  ['/api/events?limit=1e9', 400, 'bad_query'],
  ['/api/events?before=x', 400, 'bad_query'],
  ['/api/events/%00', 400, 'bad_event_id'],
  ['/api/events/..%2f..%2fetc', 400, 'bad_event_id'],
  ['/api/events/%3Cscript%3E', 400, 'bad_event_id'],
  [`/api/events/${'a'.repeat(200)}`, 400, 'bad_event_id'],
  ['/api/events/zz', 400, 'bad_event_id'],
  ['/api/events/0123456789abcdef', 404, 'not_found'],
  ['/api/events/0123456789abcdef/erase?keep=256', 404, 'not_found'],
  ['/api/events/0123456789abcdef/erase', 400, 'bad_query'],
  ['/api/events/0123456789abcdef/erase?keep=-5', 400, 'bad_query'],
  ['/api/events/0123456789abcdef/related?cell=81', 400, 'bad_query'],
  ['/api/recall', 400, 'bad_query'],
  ['/api/recall?digits=123', 400, 'bad_board'],
  ['/api/nothing', 404, 'not_found'],
  ['/assets/../package.json', 404, 'not_found'],
  ['/assets/..%2f..%2fpackage.json', 404, 'not_found'],
])('GET %s -> %d %s, with a hint', async (path, status, code) => {
  const got = await get(path);
  expect(got.status).toBe(status);
  expect(got.body.error.code).toBe(code);
  expect(got.body.error.message).toMatch(/^Expected .+, got .+\.$|^Expected a remembered event/);
  expect(got.body.error.hint).toMatch(/\S/);
});

test.each([
  ['/api/forget', '{', 400, 'bad_json'],
  ['/api/forget', '[]', 400, 'bad_json'],
  ['/api/forget', 'null', 400, 'bad_json'],
  ['/api/forget', '{}', 400, 'bad_event_id'],
  ['/api/forget', '{"id":{"$gt":""}}', 400, 'bad_event_id'],
  ['/api/forget', '{"id":"0123456789abcdef","keep":0}', 400, 'bad_query'],
  ['/api/forget', `{"id":"${'x'.repeat(70_000)}"}`, 413, 'too_large'],
  ['/api/feedback', '{"id":"0123456789abcdef"}', 400, 'bad_query'],
  ['/api/feedback', '{"id":"0123456789abcdef","cells":[{"cell":99,"digit":1}]}', 400, 'bad_query'],
  ['/api/feedback', '{"id":"0123456789abcdef","cells":["x"]}', 400, 'bad_query'],
  ['/api/stream/speed', '{"speed":0}', 400, 'bad_speed'],
  ['/api/stream/speed', '{"speed":"fast"}', 400, 'bad_speed'],
  ['/api/recall', '{"digits":[1,2,3]}', 400, 'bad_board'],
])('POST %s %s -> %d %s', async (path, body, status, code) => {
  const got = await get(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  expect(got.status).toBe(status);
  expect(got.body.error.code).toBe(code);
});

test('pictures: empty, wrong type, not a PNG, too large, and a form', async () => {
  const ask = (body: Uint8Array<ArrayBuffer> | FormData, type?: string): Promise<Got> =>
    get('/api/ask', { method: 'POST', body, ...(type === undefined ? {} : { headers: { 'content-type': type } }) });
  expect((await ask(new Uint8Array(0), 'image/png')).body.error.code).toBe('bad_image');
  const text = await ask(new Uint8Array([1, 2, 3]), 'text/html');
  expect([text.status, text.body.error.code]).toEqual([415, 'unsupported_media_type']);
  const jpeg = await ask(new Uint8Array([0xff, 0xd8, 0xff]), 'image/jpeg');
  expect([jpeg.status, jpeg.body.error.code]).toEqual([400, 'bad_image']);
  const png = new Uint8Array([0x89, 0x50, 0x4e, 0x47]);
  const form = new FormData();
  form.set('image', new Blob([png]), 'board.png');
  const answered = await ask(form);
  expect(answered.status).toBe(201);
  expect(answered.body.source).toBe('image');
  const noField = new FormData();
  noField.set('picture', new Blob([png]), 'board.png');
  expect((await ask(noField)).body.error.code).toBe('bad_image');
  const broken = await get('/api/ask', {
    method: 'POST',
    body: 'garbage',
    headers: { 'content-type': 'multipart/form-data; boundary=x' },
  });
  expect(broken.body.error.code).toBe('bad_image');
});

test('a body that is too large is refused by its length and by what really arrives', async () => {
  const declared = await raw(
    `POST /api/ask HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\nContent-Length: 999999999\r\n\r\n\x89PNG`,
  );
  expect(declared).toContain('413 Payload Too Large');
  const status = await new Promise<number | string>((resolve) => {
    const upload = request(
      {
        port: server.port,
        host: '127.0.0.1',
        path: '/api/forget',
        method: 'POST',
        headers: { 'content-type': 'application/json' },
      },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    upload.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    for (let i = 0; i < 40; i++) upload.write('x'.repeat(4_096));
    upload.end();
  });
  expect(status).toBe(413);
});

test('garbage on the wire does no harm', async () => {
  for (const text of [
    'GARBAGE\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    'GET /%E0%A4%A HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n',
    'GET /api/events/%E0%A4%A HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n',
    'GET http://evil.test/api/totals HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n',
    `GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`,
    'POST /api/forget HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n',
  ]) {
    expect(await raw(text)).toMatch(/^HTTP\/1\.1 4\d\d /);
  }
  expect((await get('/healthz')).status).toBe(200);
});

test('DNS rebinding and pages of other sites are turned away', async () => {
  expect(await raw('GET /api/totals HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n')).toContain(
    '403 Forbidden',
  );
  const forged = await get('/api/stream/pause', { method: 'POST', headers: { origin: 'https://evil.test' } });
  expect(forged.status).toBe(403);
  expect((await get('/api/stream/state')).body.paused).toBe(false);
  expect((await get('/api/totals')).headers.get('access-control-allow-origin')).toBeNull();
});

test('forgetting in part, wholly, and twice', async () => {
  const { body: list } = await get('/api/events?limit=2');
  const [first, second] = list.events;
  expect((await post(`/api/events/${first.id}/forget`, { keep: 256 })).body.bytesAfter).toBeLessThan(
    first.sketch.bytes,
  );
  expect((await get(`/api/events/${first.id}`)).body.sketch.kept).toBe(256);
  expect((await post('/api/forget', { id: second.id })).body.bytesAfter).toBe(0);
  expect((await get(`/api/events/${second.id}`)).status).toBe(404);
  expect((await post('/api/forget', { id: second.id })).status).toBe(404);
  expect((await post(`/api/events/${first.id}/feedback`, { right: true })).body.learned).toBe(true);
});

/** Reads server-sent events until `done` says so. */
async function listen(
  path: string,
  done: (events: { event: string; id: string; data: string }[]) => boolean,
  headers: Record<string, string> = {},
) {
  const stop = new AbortController();
  const response = await fetch(new URL(path, server.url), { signal: stop.signal, headers });
  expect(response.headers.get('content-type')).toContain('text/event-stream');
  const events: { event: string; id: string; data: string }[] = [];
  let text = '';
  for await (const chunk of response.body!) {
    text += Buffer.from(chunk).toString('utf8');
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(text.slice(0, end))?.[1] ?? '';
      events.push({ event: field('event'), id: field('id'), data: field('data') });
      text = text.slice(end + 2);
    }
    if (done(events)) break;
  }
  stop.abort();
  return events;
}

test('boards stream while somebody listens; what was missed comes again after Last-Event-ID', async () => {
  await post('/api/stream/speed', { speed: 'max' });
  const isBoard = (e: { event: string }): boolean => e.event === 'board';
  const first = await listen(
    '/api/stream',
    (events) => events.filter(isBoard).length >= 3 && events.some((e) => e.event === 'totals'),
  );
  expect(first.map((e) => e.event)).toContain('hello');
  const [seen] = first.filter(isBoard);
  const later = first.filter(isBoard).slice(1);
  expect(JSON.parse(seen!.data).cells).toHaveLength(81);
  const again = await listen('/api/stream', (events) => events.filter(isBoard).length >= later.length, {
    'last-event-id': seen!.id,
  });
  expect(again.filter(isBoard)[0]!.id).toBe(later[0]!.id);
  // Nobody listens: the stream rests.
  await expect.poll(async () => (await get('/api/stream/state')).body.running).toBe(false);
});

test('pause, step and speed over HTTP', async () => {
  expect((await post('/api/stream/pause', {})).body).toMatchObject({ paused: true, running: false });
  const before = (await get('/api/totals')).body.boards;
  const { body: step } = await post('/api/stream/step', {});
  expect(step.board.ordinal).toBe(before + 1);
  expect(step.state.paused).toBe(true);
  expect((await post('/api/stream/speed?speed=2', {})).body.speed).toBe(2);
  expect((await post('/api/stream/resume', {})).body.paused).toBe(false);
});

test('the pages and their files', async () => {
  for (const path of ['/', '/events/0123456789abcdef']) {
    const page = await get(path);
    expect(page.status).toBe(200);
    expect(page.body).toContain('<title>Cairn</title>');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
    expect(page.body).not.toMatch(/https?:\/\//);
  }
  for (const name of ['studio.js', 'studio.css', 'icon.svg']) {
    const asset = await get(`/assets/${name}`);
    expect(asset.status).toBe(200);
    const etag = asset.headers.get('etag') ?? '';
    expect((await get(`/assets/${name}`, { headers: { 'if-none-match': etag } })).status).toBe(304);
  }
});

test('port in use: a clear error when it was asked for, the next one when not', async () => {
  const start = (port?: number) =>
    createServer({ boards: async () => createFixtureBoards(), studio: false, ...(port === undefined ? {} : { port }) });
  await expect(start(server.port)).rejects.toMatchObject({
    code: 'port_in_use',
    hint: expect.stringContaining('--port'),
  });
  const [first, second] = [await start(), await start()];
  expect(second.port).not.toBe(first.port);
  await Promise.all([first.close(), second.close()]);
});

test('anything but this machine needs a token, and the token opens it', async () => {
  const start = (options: { host: string; token?: string }) =>
    createServer({ boards: async () => createFixtureBoards(), studio: false, port: 0, ...options });
  await expect(start({ host: '0.0.0.0' })).rejects.toMatchObject({ code: 'token_required' });
  await expect(start({ host: '0.0.0.0', token: 'short' })).rejects.toMatchObject({ code: 'bad_token' });
  await expect(start({ host: '203.0.113.7', token: 'correct-horse-battery' })).rejects.toMatchObject({
    code: 'bad_host',
  });
  const open = await start({ host: '0.0.0.0', token: 'correct-horse-battery' });
  expect((await get('/api/totals', {}, open.url)).status).toBe(401);
  const { status } = await get('/api/totals', { headers: { authorization: 'Bearer correct-horse-battery' } }, open.url);
  expect(status).toBe(200);
  expect(open.openUrl).toContain('?token=correct-horse-battery');
  await open.close();
});

test('listens before the memory is open; a memory that cannot be opened is told, and does not end the server', async () => {
  let fail: (error: Error) => void = () => undefined;
  const slow = await createServer({
    boards: () => new Promise((_, reject) => (fail = reject)),
    studio: false,
    port: 0,
  });
  expect((await get('/healthz', {}, slow.url)).body).toMatchObject({ ok: true, ready: false });
  expect((await get('/metrics', {}, slow.url)).body).toContain('cairn_up 0');
  fail(
    new CairnError('store_not_writable', 'Expected a data directory that can be written, got a read-only one.', {
      hint: 'Choose another with --data.',
    }),
  );
  await expect(slow.ready).rejects.toMatchObject({ code: 'store_not_writable' });
  expect((await get('/api/totals', {}, slow.url)).status).toBe(507);
  expect((await get('/healthz', {}, slow.url)).body.ready).toBe(false);
  await slow.close();
});

test('closing ends streams, closes the memory, and may be asked for twice', async () => {
  const own = createFixtureBoards({ delayMs: 20 });
  const closing = await createServer({ boards: async () => own, studio: false, port: 0 });
  await closing.ready;
  const response = await fetch(new URL('/api/stream', closing.url));
  const reader = response.body!.getReader();
  await reader.read();
  await Promise.all([closing.close(), closing.close()]);
  for (;;) if ((await reader.read()).done) break;
  expect(own.closed).toBe(true);
  await expect(fetch(closing.url)).rejects.toThrow();
});

test('unknown faults tell nothing of the machine', async () => {
  const own = createFixtureBoards();
  const secret = Object.assign(own, { totals: own.totals });
  const leaky = await createServer({ boards: async () => secret, studio: false, port: 0 });
  await leaky.ready;
  secret.totals = () => Promise.reject(new Error('/home/someone/secret'));
  const got = await get('/api/totals', {}, leaky.url);
  expect(got.status).toBe(500);
  expect(JSON.stringify(got.body)).not.toContain('secret');
  await leaky.close();
});

test('nothing above was a fault of the server', () => {
  expect(faults).toEqual([]);
});
