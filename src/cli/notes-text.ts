// How remembered texts look in a terminal: hits with their quotation, place, date and reasons.
import type { StoredTurn, TextErasure, TextExplanation, TextHit } from '../memory/index.ts';
import { shown } from './commands/remember.ts';

const QUOTED = 280;

export function textHits(hits: readonly TextHit[]): string {
  if (hits.length === 0) return 'Nothing remembered speaks of that.';
  return hits
    .map((hit, i) => `${i + 1}. ${placeOf(hit)}\n   ${quote(hit.text)}\n   ${whyOf(hit)}\n   ${hit.id}`)
    .join('\n\n');
}

export function textExplanation({ turn, before, after, bytes, count }: TextExplanation): string {
  const line = (t: StoredTurn): string => `  ${t.speaker === undefined ? '' : `${t.speaker}: `}${quote(t.text)}`;
  return [
    placeOf(turn),
    ...before.map(line),
    `>${line(turn).slice(1)}`,
    ...after.map(line),
    '',
    `bytes ${turn.range[0]} to ${turn.range[1]} of ${turn.source}`,
    `recorded ${new Date(turn.recordedAt).toISOString()}, ${count === 1 ? 'once' : `${count} times`}; sketch of ${bytes} bytes`,
    ...(turn.retractedAt === undefined ? [] : [`out of force since ${new Date(turn.retractedAt).toISOString()}`]),
  ].join('\n');
}

export function textErasure({ source, events, textBytes, influenced, sourceGone }: TextErasure): string {
  return [
    `${events.length} ${events.length === 1 ? 'turn' : 'turns'} of ${shown(source)} forgotten: sketches, words, keys and ${textBytes} bytes of text`,
    ...(sourceGone ? ['Nothing is left of this source.'] : []),
    ...(influenced.length === 0
      ? []
      : [`The sketches of ${influenced.length} neighbours still hold a share of it: ${influenced.join(', ')}`]),
  ].join('\n');
}

function placeOf(turn: Pick<TextHit, 'source' | 'line' | 'title' | 'speaker' | 'at'>): string {
  const about = [
    turn.title,
    turn.speaker,
    turn.at === undefined ? undefined : new Date(turn.at).toISOString().slice(0, 16).replace('T', ' '),
  ].filter((part) => part !== undefined);
  return `${shown(turn.source)}:${turn.line}${about.length === 0 ? '' : `  (${about.join(', ')})`}`;
}

function quote(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > QUOTED ? `"${line.slice(0, QUOTED)}…"` : `"${line}"`;
}

function whyOf({ score, why }: TextHit): string {
  const parts = why.parts
    .filter(({ adds }) => adds > 0)
    .slice(0, 4)
    .map(({ lever, adds }) => `${lever} ${adds.toFixed(1)}`);
  const words = why.words.length === 0 ? '' : `; shares ${why.words.join(', ')}`;
  return `score ${score.toFixed(2)}: ${parts.join(', ')}${words}`;
}
