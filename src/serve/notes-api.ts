// The HTTP API of remembered texts: the same four verbs as on the command line. Bodies are bounded; the guard stands before it.
import type { Context, Hono } from 'hono';
import { CairnError } from '../errors.ts';
import { formatOf, isPdf, parseDate, pdfText, textFormats, type TextFormat, type TextMemory } from '../memory/index.ts';
import { printable, readBytes, readJson } from './_body.ts';
import { toEventId, toInteger } from './_query.ts';

/** Largest accepted text, in bytes. */
export const MAX_TEXT_BYTES = 16 * 1024 * 1024;

/** What the routes stand on: the texts are opened when they are first asked for. */
export interface NotesParts {
  readonly notes: () => Promise<TextMemory>;
  readonly now: () => number;
}

/** Adds the routes under /api/remember, /api/sources and /api/texts. */
export function addNotesApi(app: Hono, { notes, now }: NotesParts): void {
  app.post('/api/remember', async (c) => {
    const uri = toName(c.req.query('name'));
    const raw = await readBytes(c, MAX_TEXT_BYTES);
    if (raw.length === 0) {
      throw new CairnError('bad_query', 'Expected a text as the body, got an empty one.', {
        hint: 'Try: curl --data-binary @notes.md …/api/remember?name=notes.md',
      });
    }
    const pdf = isPdf(raw);
    const bytes = pdf ? await pdfText(raw, uri) : raw;
    const format = pdf ? 'plain' : (toFormat(c.req.query('format')) ?? formatOf(uri) ?? 'plain');
    const kept = await (await notes()).remember({ uri, bytes, format, at: now() }, { signal: c.req.raw.signal });
    return c.json(kept, kept.duplicate ? 200 : 201);
  });

  app.get('/api/sources', async (c) => c.json({ sources: await (await notes()).sources() }));

  app.get('/api/texts/:id', async (c) => c.json(await (await notes()).explain(toEventId(c.req.param('id')))));

  app.post('/api/texts/:id/forget', async (c) =>
    c.json(await (await notes()).forget(toEventId(c.req.param('id')), now())),
  );

  app.post('/api/sources/forget', async (c) => {
    const body = await readJson(c);
    return c.json(await (await notes()).forgetSource(toName(body['name']), now(), { signal: c.req.raw.signal }));
  });
}

/** Recall of texts: the part of /api/recall that a question goes to. */
export async function recallTexts(
  c: Context,
  notes: () => Promise<TextMemory>,
  cue: Readonly<Record<string, unknown>>,
): Promise<Response> {
  const k = toInteger('k', cue['k'], 1, 100) ?? 8;
  const { text } = cue;
  if (typeof text !== 'string') {
    throw new CairnError('bad_query', 'Expected text as a question in plain words, got another value.', {
      hint: 'Send for example text=Where did Ann find the key?',
    });
  }
  const source = cue['source'] === undefined ? undefined : String(cue['source']).slice(0, 2048);
  const from = toTime('from', cue['from']);
  const to = toTime('to', cue['to']);
  const hits = await (
    await notes()
  ).recall(text, k, {
    ...(source === undefined ? {} : { source }),
    ...(from === undefined && to === undefined
      ? {}
      : { between: [from ?? -Infinity, (to ?? Infinity) + DAY_MS - 1] as const }),
  });
  return c.json({ hits });
}

const DAY_MS = 86_400_000;

function toTime(name: string, value: unknown): number | undefined {
  if (value === undefined || value === '') return undefined;
  const at = typeof value === 'string' ? parseDate(value.slice(0, 64)) : undefined;
  if (at !== undefined) return at;
  throw new CairnError('bad_query', `Expected ${name} as a date, got ${printable(String(value))}.`, {
    hint: 'Write it as 2024-05-07.',
  });
}

function toName(value: unknown): string {
  // Control characters have no place in a name that people will read.
  // oxlint-disable-next-line no-control-regex
  if (typeof value === 'string' && value.trim() !== '' && value.length <= 2048 && !/[\u0000-\u001f]/.test(value)) {
    return value;
  }
  throw new CairnError('bad_query', 'Expected a name of 1 to 2,048 characters for the text, got another value.', {
    hint: 'Send for example ?name=notes.md.',
  });
}

function toFormat(value: string | undefined): TextFormat | undefined {
  if (value === undefined || value === '') return undefined;
  const format = textFormats.find((known) => known === value);
  if (format !== undefined) return format;
  throw new CairnError('bad_query', `Expected ${textFormats.join(', ')} as format, got ${printable(value)}.`);
}
