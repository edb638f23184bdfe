// A source as one text: its name, and the hash of its bytes behind a separator where there is one.
import type { SourceName } from './store.ts';

/** A source version as one text, and back: the hash stands behind a character that no name may have. */
export function sourceText({ uri, sha256 }: SourceName): string {
  return sha256 === '' ? uri : `${uri}\u0001${sha256}`;
}

export function sourceOf(text: string): SourceName {
  const at = text.indexOf('\u0001');
  return at < 0 ? { uri: text, sha256: '' } : { uri: text.slice(0, at), sha256: text.slice(at + 1) };
}
