// A request of the Responses API as a chat request: instructions and input items become messages, tools and formats change their
// shape, everything that has no counterpart is refused by name. Fields that nobody here knows pass through.
import { isObject, type JsonObject, type JsonValue, listAt, objectAt, textAt } from '../../../providers/index.ts';
import { GatewayError } from '../gateway-error.ts';

/** Fields that are translated here, or that say nothing to a model. */
const TAKEN = new Set([
  'input',
  'instructions',
  'tools',
  'tool_choice',
  'text',
  'reasoning',
  'max_output_tokens',
  'previous_response_id',
  'store',
  'metadata',
  'include',
  'truncation',
  'background',
  'conversation',
  'prompt',
  'max_tool_calls',
  'top_logprobs',
  'stream_options',
]);
const ROLES = new Set(['user', 'assistant', 'system', 'developer']);

/**
 * The chat request for a Responses request.
 * @param earlier messages of the conversation that `previous_response_id` names
 * @throws GatewayError `invalid_request`, `unsupported_parameter`
 */
export function toChatBody(body: JsonObject, earlier: readonly JsonObject[]): JsonObject {
  refuseUnknown(body);
  const rest = Object.fromEntries(Object.entries(body).filter(([key, value]) => !TAKEN.has(key) && value !== null));
  const { instructions } = body;
  if (instructions !== undefined && instructions !== null && typeof instructions !== 'string')
    throw invalid('Expected instructions to be text.', 'instructions', 'Send a string.');
  const tools = toTools(body);
  const format = toFormat(objectAt(body, 'text'));
  const effort = textAt(objectAt(body, 'reasoning'), 'effort');
  const verbosity = textAt(objectAt(body, 'text'), 'verbosity');
  return {
    ...rest,
    messages: [
      ...(instructions ? [{ role: 'system', content: instructions }] : []),
      ...earlier,
      ...toMessages(body['input']),
    ],
    ...(tools.length === 0 ? {} : { tools }),
    ...toChoice(body['tool_choice']),
    ...(format === undefined ? {} : { response_format: format }),
    ...(effort === undefined ? {} : { reasoning_effort: effort }),
    ...(verbosity === undefined ? {} : { verbosity }),
    ...limitOf(body),
  };
}

function refuseUnknown(body: JsonObject): void {
  for (const field of ['conversation', 'prompt'])
    if (body[field] !== undefined && body[field] !== null)
      throw unsupported(field, 'Send the messages themselves as input.');
  if (body['background'] === true) throw unsupported('background', 'Wait for the answer, or stream it.');
  if (body['truncation'] === 'auto') throw unsupported('truncation', 'Shorten the input yourself.');
  if (typeof body['top_logprobs'] === 'number' || listAt(body, 'include').includes('message.output_text.logprobs'))
    throw unsupported('top_logprobs', 'Use /v1/chat/completions for them.');
}

function limitOf(body: JsonObject): JsonObject {
  const value = body['max_output_tokens'];
  if (value === undefined || value === null) return {};
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1)
    throw invalid(
      'Expected max_output_tokens to be a whole number of at least 1.',
      'max_output_tokens',
      'Leave it out for no limit.',
    );
  return { max_completion_tokens: value };
}

/** Chat messages of input: a text, or items. Calls of tools that follow each other are one message. */
export function toMessages(input: JsonValue | undefined): JsonObject[] {
  if (typeof input === 'string') return [{ role: 'user', content: input }];
  if (!Array.isArray(input) || input.length === 0)
    throw invalid('Expected input to be a text or a list of items.', 'input', 'Send for example "Hello".');
  const messages: { -readonly [K in string]: JsonValue | undefined }[] = [];
  for (const [i, item] of (input as readonly JsonValue[]).entries()) {
    const at = `input[${i}]`;
    if (!isObject(item)) throw invalid(`Expected ${at} to be an object.`, at, 'Send a role and a content.');
    const type = textAt(item, 'type') ?? 'message';
    if (type === 'message') messages.push(toMessage(item, at));
    else if (type === 'function_call') {
      const last = messages.at(-1);
      const call = toCall(item, at);
      if (last?.['role'] === 'assistant') {
        const calls = (last['tool_calls'] ??= []) as JsonValue[];
        calls.push(call);
      } else messages.push({ role: 'assistant', content: null, tool_calls: [call] });
    } else if (type === 'function_call_output') messages.push(toResult(item, at));
    else if (type !== 'reasoning') {
      // What a model thought is its own: chat models take no thoughts back.
      throw invalid(
        `Expected ${at} to be a message, a function_call or its output, got ${JSON.stringify(type.slice(0, 40))}.`,
        at,
        'The tools and stores behind other items are not here.',
        'unsupported_parameter',
      );
    }
  }
  if (messages.length === 0)
    throw invalid('Expected a message in input, got none.', 'input', 'Send for example "Hello".');
  return messages;
}

function toMessage(item: JsonObject, at: string): JsonObject {
  const role = textAt(item, 'role');
  if (role === undefined || !ROLES.has(role))
    throw invalid(
      `Expected ${at}.role to be one of ${[...ROLES].join(', ')}.`,
      `${at}.role`,
      'Use the roles of the Responses API.',
    );
  const content = item['content'];
  if (typeof content === 'string') return { role, content };
  if (!Array.isArray(content))
    throw invalid(`Expected ${at}.content to be text or a list of parts.`, `${at}.content`, 'Send a string.');
  const parts = (content as readonly JsonValue[]).map((part, k) => toPart(part, `${at}.content[${k}]`));
  // What was said before is text; parts of it are joined, as every chat model takes that.
  const texts = parts.map((part) => textAt(part, 'text'));
  if (role !== 'user' && !texts.includes(undefined)) return { role, content: texts.join('') };
  return { role, content: parts };
}

function toPart(part: JsonValue, at: string): JsonObject {
  if (!isObject(part))
    throw invalid(`Expected ${at} to be a part with a type.`, at, 'Send {"type":"input_text","text":"…"}.');
  const type = textAt(part, 'type');
  if (type === 'input_text' || type === 'output_text' || type === 'text')
    return { type: 'text', text: textAt(part, 'text') ?? '' };
  if (type === 'refusal') return { type: 'text', text: textAt(part, 'refusal') ?? '' };
  const url = textAt(part, 'image_url');
  if (type === 'input_image' && url !== undefined) {
    const detail = textAt(part, 'detail');
    return { type: 'image_url', image_url: { url, ...(detail === undefined ? {} : { detail }) } };
  }
  if (type === 'input_audio') return { type, input_audio: part['input_audio'] ?? null };
  const data = textAt(part, 'file_data');
  if (type === 'input_file' && data !== undefined) {
    const name = textAt(part, 'filename');
    return { type: 'file', file: { file_data: data, ...(name === undefined ? {} : { filename: name }) } };
  }
  throw invalid(
    `Expected ${at} to be text, a picture by its address, audio or a file with its data.`,
    at,
    'Files by their id are not kept here.',
    'unsupported_parameter',
  );
}

function toCall(item: JsonObject, at: string): JsonObject {
  const [id, name] = [textAt(item, 'call_id'), textAt(item, 'name')];
  if (id === undefined || name === undefined)
    throw invalid(`Expected ${at} to have a call_id and a name.`, at, 'Send the item as it came.');
  return { id, type: 'function', function: { name, arguments: textAt(item, 'arguments') ?? '' } };
}

function toResult(item: JsonObject, at: string): JsonObject {
  const id = textAt(item, 'call_id');
  if (id === undefined)
    throw invalid(`Expected ${at} to have a call_id.`, `${at}.call_id`, 'Name the call it answers.');
  const output = item['output'];
  if (typeof output === 'string') return { role: 'tool', tool_call_id: id, content: output };
  if (!Array.isArray(output))
    throw invalid(`Expected ${at}.output to be text or a list of parts.`, `${at}.output`, 'Send a string.');
  const content = (output as readonly JsonValue[]).map((part, k) => toPart(part, `${at}.output[${k}]`));
  return { role: 'tool', tool_call_id: id, content };
}

function toTools(body: JsonObject): JsonObject[] {
  const { tools } = body;
  if (tools === undefined || tools === null) return [];
  if (!Array.isArray(tools))
    throw invalid('Expected tools to be a list.', 'tools', 'Leave it out when there are none.');
  return (tools as readonly JsonValue[]).map((tool, i) => {
    const type = isObject(tool) ? textAt(tool, 'type') : undefined;
    if (!isObject(tool) || type !== 'function')
      throw new GatewayError(
        'unsupported_parameter',
        `Expected tools[${i}] to be a function, got ${JSON.stringify(type?.slice(0, 40) ?? null)}.`,
        {
          status: 400,
          param: `tools[${i}]`,
          hint: 'Tools that run at a provider are not here: bring functions of your own.',
        },
      );
    const { type: _type, ...called } = tool;
    return { type: 'function', function: withoutNulls(called) };
  });
}

function toChoice(choice: JsonValue | undefined): JsonObject {
  if (choice === undefined || choice === null) return {};
  if (typeof choice === 'string') return { tool_choice: choice };
  const name = isObject(choice) ? textAt(choice, 'name') : undefined;
  if (!isObject(choice) || choice['type'] !== 'function' || name === undefined)
    throw unsupported('tool_choice', 'Choose none, auto, required or one function.');
  return { tool_choice: { type: 'function', function: { name } } };
}

function toFormat(text: JsonObject): JsonObject | undefined {
  const format = objectAt(text, 'format');
  const type = textAt(format, 'type');
  if (type === undefined || type === 'text') return undefined;
  if (type === 'json_object') return { type };
  if (type === 'json_schema') {
    const { type: _type, ...schema } = format;
    return { type, json_schema: withoutNulls(schema) };
  }
  throw unsupported('text.format', 'Use text, json_object or json_schema.');
}

function withoutNulls(value: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== null));
}

function unsupported(param: string, hint: string): GatewayError {
  return new GatewayError(
    'unsupported_parameter',
    `Expected a request without this use of ${param}, got one with it.`,
    {
      status: 400,
      param,
      hint,
    },
  );
}

function invalid(
  message: string,
  param: string,
  hint: string,
  code: 'invalid_request' | 'unsupported_parameter' = 'invalid_request',
): GatewayError {
  return new GatewayError(code, message, { status: 400, param, hint });
}
