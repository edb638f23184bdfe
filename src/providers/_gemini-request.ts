// An OpenAI chat request as Gemini's generateContent wants it. Nothing is fetched: pictures must be data URLs.
import { countAt, isObject, type JsonObject, type JsonValue, listAt, objectAt, textAt } from './json.ts';

/** The body for generateContent and streamGenerateContent. */
export function toGemini(body: JsonObject): JsonObject {
  const messages = listAt(body, 'messages').filter(isObject);
  const system = messages.filter((m) => m['role'] === 'system' || m['role'] === 'developer');
  const names = callNames(messages);
  const contents: { role: string; parts: JsonValue[] }[] = [];
  for (const message of messages) {
    const role = textAt(message, 'role');
    if (role === 'system' || role === 'developer') continue;
    const parts =
      role === 'tool' ? [toolResult(message, names)] : [...toParts(message['content']), ...callParts(message)];
    const speaker = role === 'assistant' ? 'model' : 'user';
    // Turns must alternate: neighbours of one role become one turn.
    const last = contents.at(-1);
    if (last?.role === speaker) last.parts.push(...parts);
    else if (parts.length > 0) contents.push({ role: speaker, parts });
  }
  const tools = listAt(body, 'tools').filter(isObject);
  return {
    contents,
    ...(system.length === 0 ? {} : { systemInstruction: { parts: system.flatMap((m) => toParts(m['content'])) } }),
    ...(tools.length === 0 ? {} : { tools: [{ functionDeclarations: tools.map(toDeclaration) }] }),
    ...toolConfig(body['tool_choice']),
    generationConfig: generationConfig(body),
  };
}

/** Fields of a request that Gemini cannot honour. */
export function unsupportedByGemini(body: JsonObject): string[] {
  const found = ['logprobs', 'top_logprobs', 'logit_bias', 'audio', 'prediction', 'web_search_options'].filter(
    (key) => body[key] !== undefined && body[key] !== null && body[key] !== false,
  );
  for (const message of listAt(body, 'messages').filter(isObject)) {
    for (const part of listAt(message, 'content').filter(isObject)) {
      const kind = textAt(part, 'type');
      const url = textAt(objectAt(part, 'image_url'), 'url') ?? '';
      if (kind === 'image_url' && !url.startsWith('data:')) found.push('messages.content.image_url (a link)');
      else if (kind !== undefined && !['text', 'image_url', 'input_audio'].includes(kind))
        found.push(`messages.content.${kind}`);
    }
  }
  for (const tool of listAt(body, 'tools').filter(isObject)) {
    if (tool['type'] !== 'function') found.push(`tools.${textAt(tool, 'type') ?? 'unknown'}`);
  }
  return [...new Set(found)];
}

function generationConfig(body: JsonObject): JsonObject {
  const stop = body['stop'];
  const format = objectAt(body, 'response_format');
  const most = countAt(body, 'max_completion_tokens') ?? countAt(body, 'max_tokens');
  const budget = body['thinking_budget'];
  const schema = objectAt(format, 'json_schema')['schema'];
  const fields: [string, JsonValue | undefined][] = [
    ['maxOutputTokens', most],
    ['temperature', body['temperature']],
    ['topP', body['top_p']],
    ['candidateCount', body['n']],
    ['seed', body['seed']],
    ['presencePenalty', body['presence_penalty']],
    ['frequencyPenalty', body['frequency_penalty']],
    ['stopSequences', typeof stop === 'string' ? [stop] : stop],
    [
      'responseMimeType',
      format['type'] === 'json_object' || format['type'] === 'json_schema' ? 'application/json' : undefined,
    ],
    ['responseSchema', schema],
    ['thinkingConfig', typeof budget === 'number' ? { thinkingBudget: budget, includeThoughts: false } : undefined],
  ];
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined && value !== null)) as JsonObject;
}

function toParts(content: JsonValue | undefined): JsonValue[] {
  if (typeof content === 'string') return content === '' ? [] : [{ text: content }];
  if (!Array.isArray(content)) return [];
  return (content as readonly JsonValue[]).filter(isObject).map((part): JsonValue => {
    if (part['type'] === 'image_url') return inlineData(textAt(objectAt(part, 'image_url'), 'url') ?? '');
    if (part['type'] === 'input_audio') {
      const audio = objectAt(part, 'input_audio');
      return {
        inlineData: { mimeType: `audio/${textAt(audio, 'format') ?? 'wav'}`, data: textAt(audio, 'data') ?? '' },
      };
    }
    return { text: textAt(part, 'text') ?? '' };
  });
}

function inlineData(url: string): JsonObject {
  const match = /^data:([^;,]+)(;base64)?,(.*)$/s.exec(url);
  if (!match) return { text: '' };
  const data = match[2] ? match[3]! : Buffer.from(decodeURIComponent(match[3]!)).toString('base64');
  return { inlineData: { mimeType: match[1]!, data } };
}

/** Function names by call id: a tool's answer names only the id. */
function callNames(messages: readonly JsonObject[]): Map<string, string> {
  const names = new Map<string, string>();
  for (const message of messages) {
    for (const call of listAt(message, 'tool_calls').filter(isObject)) {
      names.set(textAt(call, 'id') ?? '', textAt(objectAt(call, 'function'), 'name') ?? '');
    }
  }
  return names;
}

function callParts(message: JsonObject): JsonValue[] {
  return listAt(message, 'tool_calls')
    .filter(isObject)
    .map((call) => {
      const called = objectAt(call, 'function');
      return { functionCall: { name: textAt(called, 'name') ?? '', args: parsed(textAt(called, 'arguments')) } };
    });
}

function toolResult(message: JsonObject, names: ReadonlyMap<string, string>): JsonObject {
  const content = message['content'];
  const text = typeof content === 'string' ? content : JSON.stringify(content ?? '');
  const value = parsed(text);
  const response = Object.keys(value).length > 0 ? value : { result: text };
  return { functionResponse: { name: names.get(textAt(message, 'tool_call_id') ?? '') ?? 'unknown', response } };
}

function parsed(text: string | undefined): JsonObject {
  try {
    const value: unknown = JSON.parse(text ?? '{}');
    return isObject(value) ? value : {};
  } catch {
    return {}; // not JSON: the caller passes the text on as it is
  }
}

function toDeclaration(tool: JsonObject): JsonObject {
  const { name, description, parameters } = objectAt(tool, 'function');
  return {
    name: name ?? '',
    ...(description === undefined ? {} : { description }),
    ...(parameters === undefined ? {} : { parameters }),
  };
}

function toolConfig(choice: JsonValue | undefined): JsonObject {
  const mode = (value: string, names?: string[]): JsonObject => ({
    toolConfig: { functionCallingConfig: { mode: value, ...(names ? { allowedFunctionNames: names } : {}) } },
  });
  if (choice === 'none') return mode('NONE');
  if (choice === 'auto') return mode('AUTO');
  if (choice === 'required') return mode('ANY');
  if (isObject(choice)) return mode('ANY', [textAt(objectAt(choice, 'function'), 'name') ?? '']);
  return {};
}
