// What a conversation is known by, and which are forgotten first.
import { describe, expect, test } from 'vitest';
import { type Session, sessionKey, Sessions } from './sessions.ts';

const messages = [
  { role: 'system', content: 'Be brief.' },
  { role: 'user', content: 'Hello' },
];
const session = (arm: string): Session => ({ arm, at: 0, promptTokens: 1, unpinned: false, midTool: false });

describe('conversations', () => {
  test('the most explicit name counts; without one it is how the conversation began', () => {
    const named = sessionKey('h', { metadata: { session_id: 'm' }, user: 'u' }, messages);
    expect(sessionKey('h', {}, [])).toBe(named);
    expect(sessionKey(undefined, { metadata: { session_id: 'm' }, user: 'u' }, messages)).toBe(sessionKey('m', {}, []));
    expect(sessionKey(undefined, { user: 'u' }, messages)).toBe(sessionKey('u', {}, []));
    const begun = sessionKey(undefined, {}, messages);
    expect(sessionKey(undefined, {}, [...messages, { role: 'user', content: 'And now?' }])).toBe(begun);
    expect(sessionKey(undefined, {}, [{ role: 'user', content: 'Other' }])).not.toBe(begun);
  });

  test('the least recently used go first', () => {
    const sessions = new Sessions(2);
    sessions.set('a', session('a'));
    sessions.set('b', session('b'));
    sessions.get('a');
    sessions.set('c', session('c'));
    expect(['a', 'b', 'c'].map((key) => sessions.get(key)?.arm)).toEqual(['a', undefined, 'c']);
  });
});
