// Request bodies under a limit: bytes, a small JSON object, a picture. Refuses early by Content-Length and counts what really arrives.
import type { Context } from 'hono';
import { CairnError } from '../errors.ts';

/** Largest accepted picture, in bytes. */
export const MAX_IMAGE_BYTES = 12 * 1024 * 1024;
/** Largest accepted JSON body, in bytes. */
export const MAX_JSON_BYTES = 64 * 1024;

/** Reads a body of at most `limit` bytes. Throws `too_large`. */
export async function readBytes(c: Context, limit: number): Promise<Uint8Array> {
  const declared = Number(c.req.header('content-length') ?? 0);
  if (declared > limit) throw tooLarge(declared, limit);
  const stream = c.req.raw.body;
  if (stream === null) return new Uint8Array(0);
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.byteLength;
    if (size > limit) {
      await reader.cancel().catch(() => undefined);
      throw tooLarge(size, limit);
    }
    chunks.push(value);
  }
  return Buffer.concat(chunks, size);
}

/** Reads a JSON object; an empty body is an empty object. Throws `bad_json`, `too_large`. */
export async function readJson(c: Context): Promise<Readonly<Record<string, unknown>>> {
  const text = Buffer.from(await readBytes(c, MAX_JSON_BYTES)).toString('utf8');
  if (text.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CairnError('bad_json', 'Expected a JSON object as body, got text that is not JSON.', {
      hint: 'Send for example {"keep": 256} with "Content-Type: application/json".',
      cause,
    });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CairnError('bad_json', 'Expected a JSON object as body, got another JSON value.', {
      hint: 'Send for example {"keep": 256}.',
    });
  }
  return value as Record<string, unknown>;
}

/** Reads a picture: raw bytes, or the field `image` of a form. Throws `bad_image`, `too_large`, `unsupported_media_type`. */
export async function readImage(c: Context): Promise<Uint8Array> {
  const type = (c.req.header('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
  if (type === 'multipart/form-data') {
    const bytes = await readBytes(c, MAX_IMAGE_BYTES + 64 * 1024);
    const field = await formField(bytes, c.req.header('content-type')!, 'image');
    if (field.byteLength > MAX_IMAGE_BYTES) throw tooLarge(field.byteLength, MAX_IMAGE_BYTES);
    return notEmpty(field);
  }
  if (type !== '' && !type.startsWith('image/') && type !== 'application/octet-stream') {
    throw new CairnError('unsupported_media_type', `Expected a picture (image/png), got ${printable(type)}.`, {
      hint: 'Send the PNG as the body with "Content-Type: image/png", or as the field "image" of a form.',
    });
  }
  return notEmpty(await readBytes(c, MAX_IMAGE_BYTES));
}

async function formField(bytes: Uint8Array, contentType: string, name: string): Promise<Uint8Array> {
  try {
    const body = new Uint8Array(bytes);
    const form = await new Response(body, { headers: { 'content-type': contentType } }).formData();
    const value = form.get(name);
    if (value !== null && typeof value !== 'string') return new Uint8Array(await value.arrayBuffer());
  } catch {
    // An unreadable form is reported like a form without the field.
  }
  throw new CairnError('bad_image', `Expected a form with the picture in its field "${name}", got none.`, {
    hint: `Try: curl -F ${name}=@board.png …/api/ask`,
  });
}

function notEmpty(bytes: Uint8Array): Uint8Array {
  if (bytes.byteLength > 0) return bytes;
  throw new CairnError('bad_image', 'Expected a picture, got an empty body.', {
    hint: 'Try: curl --data-binary @board.png -H "Content-Type: image/png" …/api/ask',
  });
}

function tooLarge(got: number, limit: number): CairnError {
  return new CairnError('too_large', `Expected at most ${limit} bytes, got ${got}${got > limit ? ' or more' : ''}.`, {
    hint: 'Send a smaller picture: a board needs no more than about 1,000 × 1,000 pixels.',
  });
}

/** Text of a stranger, cut and cleaned so that it can stand in a message. */
export function printable(text: string): string {
  const clean = text.replace(/[^\x20-\x7e]/g, '·');
  return `"${clean.length > 40 ? `${clean.slice(0, 40)}…` : clean}"`;
}
