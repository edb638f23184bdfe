// `cairn store`: moves memories between a data directory and PostgreSQL servers, and takes in new servers.
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { CairnError } from '../../errors.ts';
import { copyStore, openStore, PartitionedStore, placeText, type Store } from '../../memory/index.ts';
import { type Args, type Command, type CommandResult, memoryOptions } from '../command.ts';
import type { Io } from '../io.ts';

/** The memories that lie beside each other: boards and texts. */
const PARTS = [
  { part: undefined, file: 'cairn.db' },
  { part: 'notes', file: 'notes.db' },
] as const;
type Part = (typeof PARTS)[number];

export const store: Command = {
  name: 'store',
  about: 'Copy memories between a data directory and PostgreSQL servers, or take in new servers.',
  usage: 'store copy FROM TO | store rebalance URL,URL,...',
  options: { replicas: memoryOptions['replicas']! },
  examples: [
    'cairn store copy .cairn postgres://me:secret@db.example/notes',
    'cairn store copy postgres://me:secret@db.example/notes backup/',
    'cairn store rebalance postgres://me:secret@a/x,postgres://me:secret@b/x,postgres://me:secret@new/x',
  ],
  async run(args, io) {
    const [verb, ...places] = args.positionals;
    if (verb === 'copy' && places.length === 2) return copy(places[0]!, places[1]!, args, io);
    if (verb === 'rebalance' && places.length >= 1) return rebalance(places, io);
    throw new CairnError(
      'usage',
      `Expected \`store copy FROM TO\` or \`store rebalance URLS\`, got "${verb ?? ''}" with ${places.length} places.`,
      {
        hint: 'Run `cairn store --help`.',
      },
    );
  },
};

async function copy(from: string, to: string, args: Args, io: Io): Promise<CommandResult> {
  const done: { part: string; events: number; total: number; resumed: boolean; root: string }[] = [];
  for (const part of partsOf(from)) {
    const source = await open(from, part, undefined, 'read');
    try {
      if ((await source.count()) === 0 && (await source.statNames()).length === 0) continue;
      const target = await open(to, part, args.number('replicas', 1, 2) === 2 ? 2 : undefined, 'write');
      try {
        const name = part.part ?? 'events';
        const { events, resumed, digest } = await copyStore(source, target, {
          signal: io.signal,
          onProgress: ({ phase, done: rows, of }) =>
            io.status(`${name}: ${phase} ${rows}${of === undefined ? '' : ` of ${of}`}`),
        });
        done.push({ part: name, events, total: digest.events.rows, resumed, root: digest.events.root });
      } finally {
        await target.close();
      }
    } finally {
      await source.close();
    }
  }
  if (done.length === 0) {
    throw new CairnError('nothing_to_copy', `Expected a memory at ${placeText(from)}, got none.`, {
      hint: 'Name a data directory, a .db file or postgres:// URLs.',
    });
  }
  return {
    value: { from: placeText(from), to: placeText(to), copied: done },
    text: done
      .map(({ part, events, total, resumed, root }) =>
        [
          `${part}: ${events === 0 ? 'nothing to copy' : `${events} events copied`}${resumed ? ' (carried on)' : ''},`,
          `${total} on both sides, root ${root.slice(0, 16)}`,
        ].join(' '),
      )
      .join('\n'),
  };
}

async function rebalance(places: readonly string[], io: Io): Promise<CommandResult> {
  const done: { part: string; joined: readonly string[]; moved: number }[] = [];
  for (const { part } of PARTS) {
    const opened = await openStore(places, part === undefined ? {} : { part });
    try {
      if (!(opened instanceof PartitionedStore)) {
        throw new CairnError('usage', 'Expected the URLs of all servers, old and new, got one.', {
          hint: 'A store on one server is spread over several with `cairn store copy`.',
        });
      }
      const joined = opened.spare();
      const moved = await opened.rebalance({
        signal: io.signal,
        onProgress: (p) => io.status(`${part ?? 'events'}: ${p.reference} of ${p.last}, ${p.moved} moved`),
      });
      done.push({ part: part ?? 'events', joined, moved });
    } finally {
      await opened.close();
    }
  }
  return {
    value: { rebalanced: done },
    text: done
      .map(({ part, joined, moved }) => `${part}: ${joined.length} new servers, ${moved} events moved`)
      .join('\n'),
  };
}

/** The memories of a place: all that a directory or servers may have, or the one of a file. */
function partsOf(place: string): readonly Part[] {
  if (isUrl(place)) return PARTS;
  if (isFile(place)) return [PARTS[0]];
  return PARTS.filter(({ file }) => existsSync(join(place, file)));
}

async function open(
  place: string,
  { part, file }: Part,
  replicas: 1 | 2 | undefined,
  to: 'read' | 'write',
): Promise<Store> {
  if (isUrl(place)) {
    return openStore(place, {
      ...(part === undefined ? {} : { part }),
      ...(replicas === undefined ? {} : { replicas }),
    });
  }
  const path = resolve(isFile(place) ? place : join(place, file));
  if (to === 'read' && !existsSync(path)) {
    throw new CairnError('nothing_to_copy', `Expected a memory at ${path}, got no such file.`, {
      hint: 'Name a data directory, a .db file or postgres:// URLs.',
    });
  }
  if (to === 'write') mkdirSync(dirname(path), { recursive: true });
  return openStore(path);
}

function isUrl(place: string): boolean {
  return /^postgres(ql)?:/.test(place);
}

function isFile(place: string): boolean {
  return existsSync(place) ? statSync(place).isFile() : place.endsWith('.db');
}
