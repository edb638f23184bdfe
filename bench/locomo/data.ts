// The LoCoMo conversations as they are published: a JSON array with dated sessions, turns and questions with evidence. The
// evidence is cleaned before anything is measured: several ids in one string, stray spaces and zeros, ids that do not exist.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CairnError } from 'cairn/errors';

export interface ChatTurn {
  readonly id: string;
  readonly session: number;
  readonly speaker: string;
  /** What was said, with the caption of a picture that was shared. */
  readonly text: string;
  readonly date: string;
}

export interface GoldQuestion {
  readonly text: string;
  /** 1 multi-hop, 2 temporal, 3 open-domain, 4 single-hop, 5 adversarial. */
  readonly category: number;
  /** Positions of its evidence among the turns. */
  readonly gold: readonly number[];
}

export interface Conversation {
  readonly id: string;
  readonly turns: readonly ChatTurn[];
  readonly questions: readonly GoldQuestion[];
  /** Evidence ids that name no turn, and questions that are left without any. */
  readonly dropped: { readonly ids: number; readonly questions: number };
}

/** The file below a folder of data sets, or undefined. */
export function findLocomo(folder: string | undefined): string | undefined {
  if (folder === undefined) return undefined;
  for (const place of [folder, join(folder, 'locomo'), join(folder, 'memory', 'locomo')]) {
    if (!existsSync(place)) continue;
    const name = readdirSync(place).find((entry) => /^locomo.*\.json$/.test(entry));
    if (name !== undefined) return join(place, name);
  }
  return undefined;
}

type Raw = Readonly<Record<string, unknown>>;

export function readLocomo(path: string): Conversation[] {
  const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
  if (!Array.isArray(parsed)) {
    throw new CairnError('bad_data', 'Expected an array of conversations, got something else.', {
      hint: `Look at ${path}.`,
    });
  }
  return parsed.map((raw: Raw, i) => readConversation(raw, i));
}

function readConversation(raw: Raw, number: number): Conversation {
  const sessions = raw['conversation'] as Raw;
  const turns: ChatTurn[] = [];
  const count = Object.keys(sessions).filter((key) => /^session_\d+$/.test(key)).length;
  for (let session = 1, seen = 0; seen < count && session < 1000; session++) {
    const said = sessions[`session_${session}`] as readonly Raw[] | undefined;
    if (said === undefined) continue;
    seen++;
    for (const turn of said) {
      const caption = turn['blip_caption'];
      turns.push({
        id: String(turn['dia_id']),
        session,
        speaker: String(turn['speaker']),
        text: `${String(turn['text'])}${typeof caption === 'string' ? ` [shares ${caption}]` : ''}`,
        date: String(sessions[`session_${session}_date_time`] ?? ''),
      });
    }
  }
  const place = new Map(turns.map(({ id }, i) => [id, i] as const));
  const questions: GoldQuestion[] = [];
  let ids = 0;
  let left = 0;
  for (const asked of raw['qa'] as readonly Raw[]) {
    const gold = new Set<number>();
    for (const evidence of (asked['evidence'] ?? []) as readonly string[]) {
      for (const [, session, turn] of evidence.matchAll(/D(\d+):(\d+)/g)) {
        const at = place.get(`D${Number(session)}:${Number(turn)}`);
        if (at === undefined) ids++;
        else gold.add(at);
      }
    }
    if (gold.size === 0) left++;
    else questions.push({ text: String(asked['question']), category: Number(asked['category']), gold: [...gold] });
  }
  return { id: String(raw['sample_id'] ?? number), turns, questions, dropped: { ids, questions: left } };
}

/** A conversation as a JSONL chat: what `cairn remember` reads. Line n is turn n. */
export function toChat({ turns }: Conversation): string {
  return turns.map(({ speaker, text, date, session }) => JSON.stringify({ speaker, text, date, session })).join('\n');
}
