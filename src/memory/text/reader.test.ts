import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CairnError } from '../../errors.ts';
import { readText } from './reader.ts';
import { splitSentences } from './sentences.ts';
import { SECTION_TURNS, type TextFormat, textOf, type Turn, TURN_CHARACTERS } from './tree.ts';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const turnsOf = (text: string | Uint8Array, format: TextFormat): Turn[] =>
  [...readText(typeof text === 'string' ? encode(text) : text, format, 'test')].flatMap(({ turns }) => turns);
const codeOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return CairnError.isInstance(error) ? error.code : String(error);
  }
  return 'nothing thrown';
};

/** What the bytes of a range say. */
function quoted(bytes: Uint8Array, range: readonly [number, number], escaped: boolean): string {
  return textOf(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes.subarray(...range)), escaped);
}

describe('ranges', () => {
  it('point at exactly the bytes of every turn and sentence, in every format', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'Ann saw a fox. ',
        'Was it red? ',
        '# Title\n',
        '- item ä\n',
        '\n\n',
        '`code_x`',
        '🦊🦊 ',
        '"q\\" ',
        '\f',
      ),
      fc.string({ unit: 'grapheme', maxLength: 30 }).filter((s) => !s.includes('\0')),
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 40 }),
        fc.constantFrom('plain', 'markdown', 'chat'),
        (pieces, format) => {
          const control = /[\u0000-\u0008\u000b\u000e-\u001a\u001c-\u001f\u007f]/g; // oxlint-disable-line no-control-regex
          const text = pieces
            .join('')
            .replace(/\p{Surrogate}/gu, ' ')
            .replace(control, ' ');
          const source =
            format === 'chat'
              ? `${JSON.stringify({ role: 'a', content: text })}\n\n${JSON.stringify({ text: `${text} end`, speaker: 'B' })}\n`
              : text;
          const bytes = encode(source);
          let last = -1;
          let ordinal = 0;
          for (const turn of turnsOf(bytes, format)) {
            expect(turn.ordinal).toBe(ordinal++);
            expect(turn.range[0]).toBeGreaterThanOrEqual(last);
            last = turn.range[1];
            expect(quoted(bytes, turn.range, format === 'chat')).toBe(turn.text);
            expect(turn.line).toBe(
              source.slice(0, Buffer.from(bytes.subarray(0, turn.range[0])).toString().length).split('\n').length,
            );
            for (const sentence of turn.sentences) {
              expect(quoted(bytes, sentence.range, format === 'chat')).toBe(sentence.text);
              expect(sentence.range[0]).toBeGreaterThanOrEqual(turn.range[0]);
              expect(sentence.range[1]).toBeLessThanOrEqual(turn.range[1]);
            }
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('lose no word of a plain text', () => {
    fc.assert(
      fc.property(fc.lorem({ maxCount: 300, mode: 'sentences' }), (text) => {
        const read = turnsOf(text, 'plain')
          .map((turn) => turn.text)
          .join(' ');
        expect(read.split(/\s+/)).toEqual(text.trim().split(/\s+/));
      }),
    );
  });

  it('survive a byte order mark', () => {
    const bytes = encode('\ufeffFirst.\n\nSecond.');
    const turns = turnsOf(bytes, 'plain');
    expect(new TextDecoder().decode(bytes.subarray(...turns[1]!.range))).toBe('Second.');
  });
});

describe('markdown', () => {
  it('has a section per heading, titles from the headings above, and a turn per paragraph, item and block of code', () => {
    const text =
      '---\ntags: a\n---\n# Garden\nRoses\nand more.\n\n- water\n- weed\n  daily\n## Tools\n```\na\n\nb\n```\n| x | y |\n***\nEnd';
    const sections = [...readText(encode(text), 'markdown', 'g.md')];
    expect(sections.map((s) => [s.title, s.turns.map((t) => t.text)])).toEqual([
      [undefined, ['---\ntags: a\n---']],
      ['Garden', ['# Garden', 'Roses\nand more.', '- water', '- weed\n  daily']],
      ['Garden › Tools', ['## Tools', '```\na\n\nb\n```', '| x | y |', 'End']],
    ]);
  });
});

describe('chat', () => {
  it('reads the usual shapes', () => {
    const lines = [
      { role: 'user', content: 'Hi "there"\nfriend' },
      { speaker: 'Ann', text: 'Hello.', date: '1:56 pm on 8 May, 2023' },
      {
        author: { role: 'assistant' },
        content: { content_type: 'text', parts: ['One.', 'Two.'] },
        create_time: 1683554160.5,
      },
      { message: { author: { role: 'user' }, content: { parts: ['Wrapped'] } } },
      { role: 'user', content: [{ type: 'image_url' }, { type: 'text', text: 'Parts' }] },
      { from: 'Bo', body: 'Mail', timestamp: '2024-02-03T04:05:06Z' },
      { role: 'assistant', content: '' },
    ];
    const turns = turnsOf(lines.map((line) => JSON.stringify(line)).join('\n'), 'chat');
    expect(turns.map(({ speaker, text }) => [speaker, text])).toEqual([
      ['user', 'Hi "there"\nfriend'],
      ['Ann', 'Hello.'],
      ['assistant', 'One.'],
      ['assistant', 'Two.'],
      ['user', 'Wrapped'],
      ['user', 'Parts'],
      ['Bo', 'Mail'],
    ]);
    expect(turns[1]!.at).toBe(Date.UTC(2023, 4, 8, 13, 56));
    expect(turns[2]!.at).toBe(1683554160500);
    expect(turns[6]!.at).toBe(Date.UTC(2024, 1, 3, 4, 5, 6));
  });

  it('names the line that is no message', () => {
    expect(codeOf(() => turnsOf('{"text":"a"}\n{"text":', 'chat'))).toBe('bad_chat');
    expect(() => turnsOf('{"text":"a"}\n\n{"x":1}', 'chat')).toThrow('line 3');
  });
});

describe('bad input', () => {
  it('refuses binary, control characters and other encodings with a code', () => {
    const noise = Uint8Array.from({ length: 4096 }, (_, i) => (i % 10 === 0 ? 1 : 97));
    expect(codeOf(() => turnsOf(Uint8Array.of(65, 0, 66), 'plain'))).toBe('not_text');
    expect(codeOf(() => turnsOf(noise, 'plain'))).toBe('not_text');
    expect(codeOf(() => turnsOf(Uint8Array.of(0xe4, 0x20, 0x61), 'plain'))).toBe('not_text');
    const late = new Uint8Array(70_000).fill(97);
    late[69_999] = 0xe4;
    expect(codeOf(() => turnsOf(late, 'plain'))).toBe('not_text');
    expect(codeOf(() => turnsOf('a', 'pdf' as TextFormat))).toBe('bad_format');
  });

  it('accepts a sample that ends inside a character', () => {
    expect(turnsOf(`${'a'.repeat(65_535)}ä b`, 'plain').length).toBeGreaterThan(1);
  });

  it('streams a million characters in short sections of short turns, with or without line breaks', () => {
    const sentence = 'The quick brown fox jumps over a lazy dog near the river bank. ';
    for (const text of [sentence.repeat(16_000), 'x'.repeat(1e6), `${sentence.repeat(4)}\n\n`.repeat(4000)]) {
      let characters = 0;
      for (const { turns } of readText(encode(text), 'plain', 'long')) {
        expect(turns.length).toBeLessThanOrEqual(SECTION_TURNS);
        for (const turn of turns) {
          expect(turn.text.length).toBeLessThanOrEqual(TURN_CHARACTERS);
          characters += turn.text.replace(/\s/g, '').length;
        }
      }
      expect(characters).toBe(text.replace(/\s/g, '').length);
    }
  });

  it('reads nothing from nothing', () => {
    for (const format of ['plain', 'markdown', 'chat'] as const) expect(turnsOf(' \n\n', format)).toEqual([]);
  });
});

describe('sentences', () => {
  it('do not end at abbreviations and initials', () => {
    const text = 'Dr. Li met J. Doe, e.g. at 3 p.m. today. "Really?" Yes';
    expect(splitSentences(text).map(([a, b]) => text.slice(a, b))).toEqual([
      'Dr. Li met J. Doe, e.g. at 3 p.m. today.',
      '"Really?"',
      'Yes',
    ]);
  });
});
