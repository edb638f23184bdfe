// The human ask of a conversation: the last message a person wrote, without what a harness put around it. Pure; the rules are
// data. Routing looks at this text alone, so that system reminders and tool results do not decide which model answers.

/** One message of a chat, as the OpenAI schema has it; only what is read here. */
export interface ChatMessage {
  readonly role: string;
  readonly content?: unknown;
}

/** What counts as harness text. */
export interface HarnessRules {
  /** Tag names whose blocks `<tag>...</tag>` are removed. */
  readonly tags: readonly string[];
  /** Beginnings that make a whole message harness text. */
  readonly prefixes: readonly string[];
  /** Fewer words than this: the previous ask is taken along. */
  readonly fewWords: number;
}

/** Blocks and beginnings seen in common coding and chat harnesses. */
export const defaultHarness: HarnessRules = {
  tags: [
    'system-reminder', 'system_reminder', 'environment_details', 'environment_context', 'user_instructions', 'instructions',
    'file_content', 'file', 'files', 'document_contents', 'command-message', 'command-name', 'local-command-stdout',
    'tool_result', 'function_results', 'context', 'attached_files', 'open_files', 'summary',
  ], // prettier-ignore
  prefixes: [
    'This session is being continued from a previous conversation',
    'The conversation so far has been summarised',
    'The conversation so far has been summarized',
    '[Request interrupted by user',
    'Caveat: The messages below were generated',
  ],
  fewWords: 3,
};

/**
 * The text that a person asked last. Falls back to the last user message as it stands when all of them are harness text.
 * @example
 * humanAsk([{ role: 'user', content: '<system-reminder>x</system-reminder>Sort this list' }]); // 'Sort this list'
 */
export function humanAsk(messages: readonly ChatMessage[], rules: HarnessRules = defaultHarness): string {
  const asks: string[] = [];
  let fallback = '';
  for (let i = messages.length - 1; i >= 0 && asks.length < 2; i--) {
    const message = messages[i]!;
    if (message.role !== 'user') continue;
    const text = textOf(message.content);
    if (fallback === '') fallback = text.trim();
    const own = stripHarness(text, rules);
    if (own === '') continue;
    asks.unshift(own);
    if (hasWords(own, rules.fewWords)) break;
  }
  return asks.length === 0 ? fallback : asks.join('\n');
}

/** A text without the blocks and messages that `rules` name. */
export function stripHarness(text: string, rules: HarnessRules = defaultHarness): string {
  let own = text;
  if (own.includes('</')) for (const tag of rules.tags) own = removeBlocks(own, tag);
  own = own.trim();
  return rules.prefixes.some((prefix) => own.startsWith(prefix)) ? '' : own;
}

/** The text parts of a message's content; tool results and pictures have none. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content
    .flatMap((part: unknown) => {
      if (typeof part !== 'object' || part === null) return [];
      const { type, text } = part as { type?: unknown; text?: unknown };
      return (type === 'text' || type === 'input_text') && typeof text === 'string' ? [text] : [];
    })
    .join('\n');
}

/** Removes `<tag ...>...</tag>`; linear in the length of the text. An opening without an end is left as it is. */
function removeBlocks(text: string, tag: string): string {
  const open = `<${tag}`;
  const close = `</${tag}>`;
  let out = '';
  let at = 0;
  for (;;) {
    const start = text.indexOf(open, at);
    const end = start < 0 ? -1 : text.indexOf(close, start);
    if (end < 0) return out + text.slice(at);
    const after = text[start + open.length];
    if (after !== '>' && after !== ' ' && after !== '\n') {
      out += text.slice(at, start + open.length);
      at = start + open.length;
      continue;
    }
    out += text.slice(at, start);
    at = end + close.length;
  }
}

/** Whether a text has so many words; reads no further. */
function hasWords(text: string, wanted: number): boolean {
  let found = 0;
  for (const { 0: word } of text.matchAll(/\S+/gu)) {
    if (found >= wanted) break;
    if (/[\p{L}\p{N}]/u.test(word)) found++;
  }
  return found >= wanted;
}
