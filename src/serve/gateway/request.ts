// A chat request as a client sends it: parsed with limits, checked where a wrong value would confuse us, and otherwise left as
// it is. Errors are written as the OpenAI API writes them.
import { isObject, type JsonObject, type JsonValue, listAt, objectAt, textAt } from '../../providers/index.ts';
import { kindOfHost } from './address.ts';
import { GatewayError } from './gateway-error.ts';

const ROLES = new Set(['system', 'developer', 'user', 'assistant', 'tool', 'function']);
const UTF8 = new TextDecoder('utf-8', { fatal: true });
/** Nesting that no honest request has. */
const MAX_DEPTH = 64;
const MAX_MESSAGES = 20_000;

export interface ChatRequest {
  readonly body: JsonObject;
  readonly model: string;
  readonly stream: boolean;
  /** Whether the client asked for usage at the end of a stream. */
  readonly wantsUsage: boolean;
  readonly messages: readonly JsonObject[];
  readonly modalities: readonly ('text' | 'image' | 'audio' | 'video')[];
  /** Addresses that an upstream would fetch. */
  readonly links: readonly string[];
  readonly usesTools: boolean;
  /** Input tokens, from the length of what is sent. */
  readonly inTokens: number;
  /** The most it may answer, if the client said. */
  readonly maxOutTokens: number | undefined;
}

/** Bytes of a body as JSON. @throws GatewayError `invalid_request` */
export function parseBody(bytes: Uint8Array): JsonObject {
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    throw invalid('Expected the body in UTF-8, got bytes that are not.', null, 'Send JSON in UTF-8.');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('Expected a JSON body, got text that is not JSON.', null, 'Send one JSON object.');
  }
  if (!isObject(value))
    throw invalid('Expected a JSON object as body, got another value.', null, 'Send one JSON object.');
  if (depthOf(value) > MAX_DEPTH) {
    throw invalid(`Expected at most ${MAX_DEPTH} levels of nesting, got more.`, null, 'Flatten the request.');
  }
  return value;
}

/** @throws GatewayError `invalid_request` with the name of the parameter */
export function toChatRequest(body: JsonObject): ChatRequest {
  const model = body['model'];
  if (typeof model !== 'string' || model === '') {
    throw invalid(
      'Expected model to be a name, got none.',
      'model',
      'Use cairn/auto or a name that GET /v1/models lists.',
    );
  }
  const stream = body['stream'];
  if (stream !== undefined && stream !== null && typeof stream !== 'boolean') {
    throw invalid('Expected stream to be true or false.', 'stream', 'Leave it out for one whole answer.');
  }
  const given = body['messages'];
  if (!Array.isArray(given) || given.length === 0) {
    throw invalid(
      'Expected messages to be a list with at least one message.',
      'messages',
      'Send [{"role":"user","content":"…"}].',
    );
  }
  if (given.length > MAX_MESSAGES) {
    throw invalid(
      `Expected at most ${MAX_MESSAGES} messages, got ${given.length}.`,
      'messages',
      'Shorten the conversation.',
    );
  }
  const links = new Set<string>();
  const modalities = new Set<'text' | 'image' | 'audio' | 'video'>(['text']);
  let characters = 0;
  const messages = given.map((message: JsonValue, i): JsonObject => {
    if (!isObject(message))
      throw invalid(`Expected messages[${i}] to be an object.`, `messages[${i}]`, 'Send a role and a content.');
    const role = message['role'];
    if (typeof role !== 'string' || !ROLES.has(role)) {
      throw invalid(
        `Expected messages[${i}].role to be one of ${[...ROLES].join(', ')}, got ${shown(role)}.`,
        `messages[${i}].role`,
        'Use the roles of the OpenAI API.',
      );
    }
    characters += contentOf(message, i, modalities, links);
    return message;
  });
  const tools = checkTools(body);
  characters += tools === 0 ? 0 : JSON.stringify(body['tools']).length;
  return {
    body,
    model,
    stream: stream === true,
    wantsUsage: objectAt(body, 'stream_options')['include_usage'] === true,
    messages,
    modalities: [...modalities],
    links: [...links],
    usesTools: tools > 0,
    inTokens: Math.max(1, Math.ceil(characters / 4)),
    maxOutTokens: limitOf(body, 'max_completion_tokens') ?? limitOf(body, 'max_tokens'),
  };
}

/** Checks a message's content; returns its characters and adds what it contains. */
function contentOf(message: JsonObject, i: number, modalities: Set<string>, links: Set<string>): number {
  const content = message['content'];
  let characters = 8;
  if (typeof content === 'string') characters += content.length;
  else if (Array.isArray(content)) {
    for (const [k, part] of (content as readonly JsonValue[]).entries()) {
      if (!isObject(part) || typeof part['type'] !== 'string') {
        throw invalid(
          `Expected messages[${i}].content[${k}] to be a part with a type.`,
          `messages[${i}].content[${k}]`,
          'Send text as {"type":"text","text":"…"}.',
        );
      }
      const text = textAt(part, 'text');
      if (text !== undefined) characters += text.length;
      if (part['type'] === 'image_url' || part['type'] === 'input_image') {
        modalities.add('image');
        const url = linkOf(part);
        if (url !== undefined) links.add(url);
        characters += 3_400; // about 850 tokens
      }
      if (part['type'] === 'input_audio') modalities.add('audio');
      if (part['type'] === 'video_url') {
        modalities.add('video');
        const url = linkOf(part);
        if (url !== undefined) links.add(url);
      }
    }
  } else if (content !== undefined && content !== null) {
    throw invalid(
      `Expected messages[${i}].content to be text or a list of parts.`,
      `messages[${i}].content`,
      'Send a string.',
    );
  }
  const calls = listAt(message, 'tool_calls');
  return calls.length === 0 ? characters : characters + JSON.stringify(calls).length;
}

/** The address of a picture or a film, unless its data is in the request. */
function linkOf(part: JsonObject): string | undefined {
  const inside = part[String(part['type'])];
  const url =
    typeof inside === 'string' ? inside : isObject(inside) ? textAt(inside, 'url') : textAt(part, 'image_url');
  return url === undefined || url.startsWith('data:') ? undefined : url;
}

/**
 * Refuses links that would make an upstream fetch from inside its own network. Names are not resolved here: an upstream that
 * fetches links has to guard itself against names that lie.
 * @throws GatewayError `invalid_request`
 */
export function checkLinks({ links }: ChatRequest, allowPrivate: boolean): void {
  for (const link of links) {
    let url: URL;
    try {
      url = new URL(link);
    } catch {
      throw invalid(
        'Expected the link of a picture to be an address, got something else.',
        'messages',
        'Send https://… or data:….',
      );
    }
    const web = url.protocol === 'https:' || url.protocol === 'http:';
    if (web && (allowPrivate || kindOfHost(url) === 'public')) continue;
    throw invalid(
      web
        ? 'Expected a public address as link of a picture, got one inside a machine or a private network.'
        : `Expected http or https as link of a picture, got ${url.protocol.slice(0, 20)}`,
      'messages',
      'Send the picture itself as data:…; the owner of the gateway may set allowPrivateLinks.',
    );
  }
}

function checkTools(body: JsonObject): number {
  const tools = body['tools'];
  if (tools === undefined || tools === null) return 0;
  if (!Array.isArray(tools))
    throw invalid('Expected tools to be a list.', 'tools', 'Leave it out when there are none.');
  for (const [i, tool] of (tools as readonly JsonValue[]).entries()) {
    if (!isObject(tool) || typeof tool['type'] !== 'string') {
      throw invalid(
        `Expected tools[${i}] to be an object with a type.`,
        `tools[${i}]`,
        'Send {"type":"function","function":{…}}.',
      );
    }
    if (tool['type'] !== 'function') continue;
    const called = objectAt(tool, 'function');
    if (typeof called['name'] !== 'string' || !/^[\w.-]{1,64}$/.test(called['name'])) {
      throw invalid(
        `Expected tools[${i}].function.name to be 1 to 64 letters, digits, _ . or -.`,
        `tools[${i}].function.name`,
        'Rename the function.',
      );
    }
    if (called['parameters'] !== undefined && called['parameters'] !== null && !isObject(called['parameters'])) {
      throw invalid(
        `Expected tools[${i}].function.parameters to be a JSON schema.`,
        `tools[${i}].function.parameters`,
        'Send an object.',
      );
    }
  }
  return tools.length;
}

function limitOf(body: JsonObject, key: string): number | undefined {
  const value = body[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1) {
    throw invalid(
      `Expected ${key} to be a whole number of at least 1, got ${shown(value)}.`,
      key,
      'Leave it out for no limit.',
    );
  }
  return value;
}

function depthOf(value: JsonValue | undefined): number {
  // Not recursive: depth is the attack. Only what may hold more is kept, since breadth is the other one.
  let level: object[] = typeof value === 'object' && value !== null ? [value] : [];
  for (let depth = 0; ; depth++) {
    if (level.length === 0 || depth > MAX_DEPTH) return depth;
    const next: object[] = [];
    for (const item of level) {
      const inner: readonly unknown[] = Array.isArray(item) ? item : Object.values(item);
      for (const one of inner) if (typeof one === 'object' && one !== null) next.push(one);
    }
    level = next;
  }
}

function invalid(message: string, param: string | null, hint: string): GatewayError {
  return new GatewayError('invalid_request', message, { status: 400, param, hint });
}

/** A stranger's value, short enough for a message. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
