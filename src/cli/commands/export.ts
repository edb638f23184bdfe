// `cairn export DIR`: writes a trained model as plain .onnx files that any ONNX runtime loads.
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { CairnError } from '../../errors.ts';
import { exportModelDir } from '../../nn/index.ts';
import type { Command } from '../command.ts';
import { newestRun } from '../run-dir.ts';
import { formatTable } from '../table.ts';

export const exportModel: Command = {
  name: 'export',
  about:
    'Write a trained model as plain ONNX. A language model gives model.onnx (whole context) and decoder.onnx (with cache).',
  usage: 'export [DIR] [--out DIR]',
  options: {
    out: { type: 'string', value: 'DIR', about: 'where the files go (default: the model directory)' },
    opset: { type: 'number', about: '17 to 20 (default 20)' },
  },
  examples: ['cairn export .cairn/runs/2026-01-01-calm-ridge --out web/models'],
  async run(args, io) {
    const dir = args.positionals[0] ?? newestRun(io.dataDir);
    if (dir === undefined) {
      throw new CairnError('no_model', `Expected a model directory or a run below ${io.dataDir}, got none.`, {
        hint: 'Train one with `cairn train lm --text FILE`, or name a directory.',
      });
    }
    const opset = args.number('opset', 17, 20) ?? 20;
    if (opset !== 17 && opset !== 18 && opset !== 19 && opset !== 20) {
      throw new CairnError('usage', `Expected --opset 17, 18, 19 or 20, got ${opset}.`);
    }
    const out = resolve(args.text('out') ?? dir);
    const models = await exportModelDir(resolve(dir), { opset });
    await mkdir(out, { recursive: true });
    const files = [];
    for (const model of models) {
      const file = join(out, model.name);
      await writeFile(file, model.bytes);
      files.push({ file, bytes: model.bytes.length, inputs: model.inputs, outputs: model.outputs });
    }
    return {
      value: { model: resolve(dir), opset, files },
      text: formatTable(
        ['file', 'bytes', 'inputs', 'outputs'],
        files.map((f) => [f.file, f.bytes, f.inputs.join(' '), f.outputs.join(' ')]),
      ),
    };
  },
};
