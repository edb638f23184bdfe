// Bundles the studio: one page, one script, one style sheet, and the thread that trains. `bundleStudio` keeps them in memory (a clone), `buildStudio` writes them (a package).
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));

/** What only Node has is empty in a browser: functions that need it are not called there. */
const nodeOnly = {
  name: 'node-only',
  setup(build) {
    build.onResolve({ filter: /^node:|^onnxruntime-node$|^pngjs$/ }, ({ path }) => ({ path, namespace: 'node-only' }));
    build.onLoad({ filter: /.*/, namespace: 'node-only' }, () => ({ contents: 'module.exports = {};' }));
  },
};

/** The studio's files, ready to be served. */
export async function bundleStudio() {
  const { build } = await import('esbuild');
  const result = await build({
    absWorkingDir: here,
    entryPoints: { studio: 'src/main.tsx', 'train-thread': 'src/train/train-thread.ts' },
    splitting: true,
    chunkNames: 'chunk-[hash]',
    outdir: join(here, 'out'),
    bundle: true,
    write: false,
    minify: true,
    format: 'esm',
    target: ['es2022'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    tsconfig: join(here, 'tsconfig.json'),
    legalComments: 'none',
    logLevel: 'silent',
    loader: { '.md': 'text' },
    // The runtime's WebAssembly is served beside the studio, not inside it.
    conditions: ['onnxruntime-web-use-extern-wasm'],
    plugins: [nodeOnly],
  });
  const bundled = result.outputFiles.map((file) => ({ name: basename(file.path), contents: file.contents }));
  const copied = await Promise.all(
    ['index.html', 'icon.svg'].map(async (name) => ({ name, contents: await readFile(join(here, name)) })),
  );
  return [...copied, ...bundled];
}

/** Writes the studio's files to `outDir`. */
export async function buildStudio(outDir) {
  await mkdir(outDir, { recursive: true });
  for (const { name, contents } of await bundleStudio()) await writeFile(join(outDir, name), contents);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildStudio(process.argv[2] ?? join(here, '..', 'dist', 'studio'));
}
