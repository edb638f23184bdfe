// The studio's files: from dist/studio in a package, bundled in memory from studio/ in a clone. Nothing is written to disk.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { extname } from 'node:path';
import type { Hono } from 'hono';
import { CairnError } from '../errors.ts';

interface StudioFile {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly type: string;
  readonly etag: string;
}

/** The studio, by path: `index.html`, `studio.js`, `studio.css`, … */
export type StudioFiles = ReadonlyMap<string, StudioFile>;

interface StudioBuild {
  bundleStudio(): Promise<readonly { readonly name: string; readonly contents: Uint8Array }[]>;
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.wasm': 'application/wasm',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.json': 'application/json',
  '.webmanifest': 'application/manifest+json',
};

const CONTENT_POLICY = [
  "default-src 'self'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "img-src 'self' data: blob:",
  "object-src 'none'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

/** Without these a page may not share memory between threads. */
const ISOLATED = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
} as const;

/** Loads the studio. Throws `studio_missing` when neither form of it is there. */
export async function loadStudio(): Promise<StudioFiles> {
  const built = new URL('../studio/', import.meta.url);
  if (existsSync(new URL('index.html', built))) {
    const names = await readdir(built);
    return new Map(await Promise.all(names.map(async (name) => toEntry(name, await readFile(new URL(name, built))))));
  }
  const script = new URL('../../studio/build.mjs', import.meta.url);
  if (!existsSync(script)) {
    throw new CairnError('studio_missing', 'Expected the studio beside the server, got none.', {
      hint: 'Run `npm run build`, or use the JSON API at /api.',
    });
  }
  const { bundleStudio } = (await import(script.href)) as StudioBuild;
  return new Map((await bundleStudio()).map(({ name, contents }) => toEntry(name, contents)));
}

/** Adds the pages: all paths of the studio are one document, everything else is an asset. */
export function addStudio(app: Hono, files: () => Promise<StudioFiles>): void {
  const send = (file: StudioFile, ifNoneMatch: string | undefined): Response => {
    const headers = {
      'Content-Type': file.type,
      ETag: file.etag,
      'Cache-Control': 'no-cache',
      'Content-Security-Policy': CONTENT_POLICY,
      ...ISOLATED,
    };
    return ifNoneMatch === file.etag
      ? new Response(null, { status: 304, headers })
      : new Response(file.body, { headers });
  };
  const page = async (ifNoneMatch: string | undefined): Promise<Response> => {
    const file = (await files()).get('index.html');
    if (file === undefined) throw new CairnError('studio_missing', 'Expected the studio’s page, got none.');
    return send(file, ifNoneMatch);
  };
  for (const path of ['/', '/routing', '/memory', '/growth', '/speech', '/train', '/concepts/:id', '/events/:id']) {
    app.get(path, (c) => page(c.req.header('if-none-match')));
  }
  app.get('/assets/:name', async (c, next) => {
    const file = (await files()).get(c.req.param('name'));
    return file === undefined ? next() : send(file, c.req.header('if-none-match'));
  });
  app.get('/ort/:name', async (c, next) => {
    const file = await runtimeFile(c.req.param('name'));
    return file === undefined ? next() : send(file, c.req.header('if-none-match'));
  });
}

/** Files of ONNX Runtime for browsers, read when a page first asks for them. */
const RUNTIME = /^ort-wasm-simd-threaded(\.asyncify|\.jsep|\.jspi)?\.(mjs|wasm)$/;
const runtimeFiles = new Map<string, Promise<StudioFile | undefined>>();

function runtimeFile(name: string): Promise<StudioFile | undefined> {
  if (!RUNTIME.test(name)) return Promise.resolve(undefined);
  let file = runtimeFiles.get(name);
  if (file === undefined) {
    file = (async () => {
      try {
        const path = createRequire(import.meta.url).resolve(`onnxruntime-web/${name}`);
        return toEntry(name, await readFile(path))[1];
      } catch {
        return undefined;
      }
    })();
    runtimeFiles.set(name, file);
  }
  return file;
}

function toEntry(name: string, contents: Uint8Array): [string, StudioFile] {
  const body = new Uint8Array(contents);
  const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
  return [name, { body, type: types[extname(name)] ?? 'application/octet-stream', etag }];
}
