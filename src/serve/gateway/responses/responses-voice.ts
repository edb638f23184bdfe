// How an answer is written for /v1/responses: one object, or the events of its stream, numbered, with the whole response at the end.
import {
  type ChatUsage,
  isObject,
  type JsonObject,
  type JsonValue,
  listAt,
  objectAt,
  textAt,
  usageOf,
} from '../../../providers/index.ts';
import type { GatewayError } from '../gateway-error.ts';
import type { Voice } from '../voice.ts';
import { ResponseItems } from './response-items.ts';

export interface ResponsesVoiceOptions {
  /** Begins with resp_. */
  readonly id: string;
  /** The request, as it came. */
  readonly body: JsonObject;
  /** Seconds since 1970. */
  readonly createdAt: number;
  /** Whether it is kept for a later request. */
  readonly stored: boolean;
  /** Hears the response when it is whole. */
  readonly done: (response: JsonObject) => void;
}

type Status = 'in_progress' | 'completed' | 'incomplete' | 'failed';

export function responsesVoice(options: ResponsesVoiceOptions): Voice {
  const { body, done } = options;
  let sequence = 0;
  let out = '';
  const emit = (type: string, fields: JsonObject): void => {
    out += `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...fields })}\n\n`;
  };
  const taken = (): string => {
    const text = out;
    out = '';
    return text;
  };
  const items = new ResponseItems(options.id.slice(5), emit);
  let model = textAt(body, 'model') ?? '';
  let finish: string | undefined;
  let usage: ChatUsage | undefined;
  const respond = (
    status: Status,
    more: JsonObject = {},
    output: readonly JsonObject[] = items.output,
  ): JsonObject => ({
    ...frame(options, model, status),
    output: [...output],
    ...(usage === undefined ? {} : { usage: usageAs(usage) }),
    ...more,
  });
  return {
    whole(completion) {
      model = textAt(completion, 'model') ?? model;
      usage = usageOf(completion);
      const choice = listAt(completion, 'choices').find(isObject) ?? {};
      const whole = new ResponseItems(options.id.slice(5));
      whole.add(objectAt(choice, 'message'));
      const end = endOf(textAt(choice, 'finish_reason'));
      whole.finish(end.status !== 'completed');
      const response = respond(end.status, end.more, whole.output);
      done(response);
      return response;
    },
    begin() {
      const response = respond('in_progress');
      emit('response.created', { response });
      emit('response.in_progress', { response });
      return taken();
    },
    chunk(chunk) {
      usage = chunk.usage ?? usage;
      const value = JSON.parse(chunk.data) as JsonObject;
      model = textAt(value, 'model') ?? model;
      const choice = listAt(value, 'choices').find(isObject);
      if (choice !== undefined) {
        items.add(objectAt(choice, 'delta'));
        finish = textAt(choice, 'finish_reason') ?? finish;
      }
      return taken();
    },
    end(told) {
      const end = endOf(finish);
      items.finish(end.status !== 'completed');
      const response = respond(end.status, end.more);
      emit(`response.${end.status}`, { response: told === undefined ? response : { ...response, cairn: told } });
      done(response);
      return taken();
    },
    fail(error) {
      items.finish(true);
      emit('response.failed', { response: respond('failed', { error: errorOf(error) }) });
      return taken();
    },
  };
}

/** A response without its output. */
function frame({ id, body, createdAt, stored }: ResponsesVoiceOptions, model: string, status: Status): JsonObject {
  const or = (key: string, value: JsonValue): JsonValue => body[key] ?? value;
  return {
    id,
    object: 'response',
    created_at: createdAt,
    status,
    background: false,
    error: null,
    incomplete_details: null,
    instructions: or('instructions', null),
    max_output_tokens: or('max_output_tokens', null),
    model,
    parallel_tool_calls: or('parallel_tool_calls', true),
    previous_response_id: or('previous_response_id', null),
    reasoning: { effort: textAt(objectAt(body, 'reasoning'), 'effort') ?? null, summary: null },
    store: stored,
    temperature: or('temperature', null),
    text: { format: { type: 'text' }, ...objectAt(body, 'text') },
    tool_choice: or('tool_choice', 'auto'),
    tools: or('tools', []),
    top_p: or('top_p', null),
    truncation: 'disabled',
    metadata: or('metadata', {}),
  };
}

function endOf(finish: string | undefined): { status: 'completed' | 'incomplete'; more: JsonObject } {
  const reason = finish === 'length' ? 'max_output_tokens' : finish === 'content_filter' ? 'content_filter' : undefined;
  return reason === undefined
    ? { status: 'completed', more: {} }
    : { status: 'incomplete', more: { incomplete_details: { reason } } };
}

function usageAs(usage: ChatUsage): JsonObject {
  return {
    input_tokens: usage.promptTokens,
    input_tokens_details: { cached_tokens: usage.cachedTokens },
    output_tokens: usage.completionTokens,
    output_tokens_details: { reasoning_tokens: usage.thoughtTokens },
    total_tokens: usage.promptTokens + usage.completionTokens,
  };
}

function errorOf(error: GatewayError): JsonObject {
  return { code: error.status === 429 ? 'rate_limit_exceeded' : 'server_error', message: error.toText() };
}
