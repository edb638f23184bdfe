import { describe, expect, it } from 'vitest';
import { dateTerms, findDates, parseDate, resolveRelative, timeWords } from './dates.ts';
import { findEntities } from './entities.ts';
import { stem } from './stem.ts';
import { terms, trigrams } from './tokens.ts';

const iso = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString().slice(0, 10);

describe('stem', () => {
  it('joins the forms of a word and keeps different words apart', () => {
    for (const group of [
      'paint paints painted painting paintings',
      'relate related relating',
      'hop hops hopped hopping',
      'party parties',
      'go goes went gone going',
      'child children',
      'organize organizing organizer organization',
      'happy happiness',
      'hope hopes hoped hoping',
      'buy bought buying',
    ]) {
      expect(new Set(group.split(' ').map(stem)).size, group).toBe(1);
    }
    expect(new Set('hop hope happy paint pain party part go good'.split(' ').map(stem)).size).toBe(9);
  });

  it('gives the published stems of the algorithm', () => {
    const published = {
      caresses: 'caress', ponies: 'poni', feed: 'feed', agreed: 'agre', plastered: 'plaster', motoring: 'motor',
      conflated: 'conflat', troubled: 'troubl', sized: 'size', falling: 'fall', hissing: 'hiss', filing: 'file',
      sky: 'sky', relational: 'relat', conditional: 'condit', digitizer: 'digit', vietnamization: 'vietnam',
      predication: 'predic', operator: 'oper', feudalism: 'feudal', decisiveness: 'decis', hopefulness: 'hope',
      sensitiviti: 'sensit', triplicate: 'triplic', formative: 'form', electrical: 'electr', goodness: 'good',
      revival: 'reviv', allowance: 'allow', inference: 'infer', airliner: 'airlin', adjustable: 'adjust',
      irritant: 'irrit', replacement: 'replac', adoption: 'adopt', communism: 'commun', effective: 'effect',
      probate: 'probat', rate: 'rate', cease: 'ceas', controll: 'control', roll: 'roll',
    }; // prettier-ignore
    expect(Object.fromEntries(Object.keys(published).map((word) => [word, stem(word)]))).toEqual(published);
  });
});

describe('terms', () => {
  it('are stems without stop words; numbers and dates have one form', () => {
    expect(terms("She's painted two sunsets, 2 of them by the sea")).toEqual(['paint', '#2', 'sunset', '#2', 'sea']);
    expect(terms('Élan vital, naïve Über-fan 東京')).toEqual(['élan', 'vital', 'naïve', 'über', 'fan', '東京']);
    const dated = ['on 7 May 2023', 'May 7th, 2023', '2023-05-07'].map((text) => dateTerms(text));
    expect(dated[0]).toEqual(['@m05', '@2023', '@2023-05', '@d05-07']);
    expect(dated[1]).toEqual(dated[0]);
    expect(dated[2]).toEqual(dated[0]);
    expect(terms('the of and')).toEqual([]);
  });

  it('trigrams of a name and its typo overlap', () => {
    const a = new Set(trigrams('melanie'));
    expect(trigrams('melany').filter((g) => a.has(g)).length).toBeGreaterThanOrEqual(4);
  });
});

describe('dates', () => {
  it('are found in written forms, each place once', () => {
    expect(findDates('from 3 July to August 14, 2023; in May; since 2020 (May be)').map((d) => d.iso)).toEqual([
      '--07-03',
      '2023-08-14',
      '--05',
      '2020',
    ]);
    expect(findDates('2023-13-01, 32 August, version 2022')).toEqual([]);
  });

  it('relative to a day resolve by arithmetic', () => {
    const monday = Date.UTC(2023, 4, 8, 13, 56);
    const span = (phrase: string): (string | undefined)[] => {
      const found = resolveRelative(phrase, monday);
      return [iso(found?.from), iso(found?.to)];
    };
    expect(span('yesterday')).toEqual(['2023-05-07', '2023-05-07']);
    expect(span('last week')).toEqual(['2023-05-01', '2023-05-07']);
    expect(span('last weekend')).toEqual(['2023-05-06', '2023-05-07']);
    expect(span('last Friday')).toEqual(['2023-05-05', '2023-05-05']);
    expect(span('next monday')).toEqual(['2023-05-15', '2023-05-15']);
    expect(span('two months ago')).toEqual(['2023-03-01', '2023-03-31']);
    expect(span('3 days ago')).toEqual(['2023-05-05', '2023-05-05']);
    expect(span('last year')).toEqual(['2022-01-01', '2022-12-31']);
    expect(span('recently')).toEqual([undefined, undefined]);
    expect(timeWords('We met last Friday, two days ago, and recently')).toEqual([
      'last friday',
      'two days ago',
      'recently',
    ]);
  });

  it('of messages are read with their time', () => {
    expect(parseDate('1:56 pm on 8 May, 2023')).toBe(Date.UTC(2023, 4, 8, 13, 56));
    expect(parseDate('12:05 am on 1 January, 2024')).toBe(Date.UTC(2024, 0, 1, 0, 5));
    expect(parseDate('2024-02-03T04:05:06+02:00')).toBe(Date.UTC(2024, 1, 3, 2, 5, 6));
    expect(parseDate('2024-02-03')).toBe(Date.UTC(2024, 1, 3));
    expect(parseDate('no date')).toBeUndefined();
  });
});

describe('entities', () => {
  it('are names, quotations, dates, code and speakers, each once', () => {
    const text =
      'Hey Mel! I read "Nothing is Impossible" with Ann Lee in June 2022. Ann Lee uses `fs.readFile` and parse_date.';
    expect(findEntities(text, 'Bo')).toEqual([
      { kind: 'speaker', name: 'bo' },
      { kind: 'name', name: 'mel' },
      { kind: 'quote', name: 'nothing is impossible' },
      { kind: 'name', name: 'ann lee' },
      { kind: 'date', name: '2022-06' },
      { kind: 'code', name: 'fs.readfile' },
      { kind: 'code', name: 'parse_date' },
    ]);
    expect(findEntities('Today it rained. The dog slept.')).toEqual([]);
  });
});
