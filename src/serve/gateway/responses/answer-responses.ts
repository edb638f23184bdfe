// POST /v1/responses: a chat request in another form, answered by the same way as every other. Where responses are kept, a request
// goes on from an earlier one; where they are not, it is told so.
import { randomUUID } from 'node:crypto';
import { isObject, type JsonObject, textAt } from '../../../providers/index.ts';
import { answerChat, type ChatContext } from '../chat.ts';
import type { Gateway } from '../gateway.ts';
import { GatewayError } from '../gateway-error.ts';
import { type ClientKey, tenantOf } from '../keys.ts';
import { toChatRequest } from '../request.ts';
import { responsesVoice } from './responses-voice.ts';
import { toChatBody, toMessages } from './to-chat.ts';

/** @throws GatewayError for a request that cannot be translated, or goes on from what is not kept */
export async function answerResponses(
  context: Omit<ChatContext, 'request' | 'voice'>,
  body: JsonObject,
): Promise<void> {
  const { gateway, key } = context;
  const { keepSeconds } = gateway.config.responses;
  const earlier = await earlierOf(gateway, key, body);
  const chat = toChatBody(body, earlier);
  const stored = keepSeconds > 0 && body['store'] !== false;
  const id = `resp_${randomUUID().replaceAll('-', '')}`;
  const keep = (response: JsonObject): void => {
    if (!stored) return;
    const at = gateway.now();
    const messages = [...earlier, ...toMessages(body['input']), ...spoken(response)];
    gateway.responses
      .put({
        id,
        tenant: tenantOf(key),
        at,
        expires: at + keepSeconds * 1000,
        response: JSON.stringify(response),
        messages: JSON.stringify(messages),
      })
      .catch((error: unknown) => gateway.log(`fault in kept responses: ${String(error)}`));
  };
  const metadata = isObject(body['metadata']) ? body['metadata'] : {};
  await answerChat({
    ...context,
    headers: { ...context.headers, session: context.headers.session ?? textAt(metadata, 'session_id') },
    request: toChatRequest(chat),
    voice: () => responsesVoice({ id, body, createdAt: Math.floor(gateway.now() / 1000), stored, done: keep }),
  });
}

/** The kept response of this client. @throws GatewayError `not_found` */
export async function keptResponse(gateway: Gateway, key: ClientKey | undefined, id: string): Promise<JsonObject> {
  const kept = await gateway.responses.get(id, tenantOf(key), gateway.now());
  if (kept === undefined) throw notKept(gateway, 'response_id');
  return JSON.parse(kept.response) as JsonObject;
}

/** Deletes a kept response for good. @throws GatewayError `not_found` */
export async function dropResponse(gateway: Gateway, key: ClientKey | undefined, id: string): Promise<JsonObject> {
  if (!(await gateway.responses.drop(id, tenantOf(key)))) throw notKept(gateway, 'response_id');
  return { id, object: 'response', deleted: true };
}

async function earlierOf(gateway: Gateway, key: ClientKey | undefined, body: JsonObject): Promise<JsonObject[]> {
  const id = body['previous_response_id'];
  if (id === undefined || id === null) return [];
  const kept = typeof id === 'string' ? await gateway.responses.get(id, tenantOf(key), gateway.now()) : undefined;
  if (kept === undefined) throw notKept(gateway, 'previous_response_id');
  return JSON.parse(kept.messages) as JsonObject[];
}

function notKept(gateway: Gateway, param: string): GatewayError {
  if (gateway.config.responses.keepSeconds > 0)
    return new GatewayError(
      'not_found',
      'Expected a response that is kept, got an unknown id, or one that has expired.',
      {
        status: 404,
        param,
        hint: 'Send the conversation as input.',
      },
    );
  return new GatewayError(
    'unsupported_parameter',
    'Expected the whole conversation, got the id of a response; none are kept here.',
    {
      status: 400,
      param,
      hint: 'Send the conversation as input, or set responses.keepSeconds in the configuration.',
    },
  );
}

/** What was said, as it is sent back with the next request. */
function spoken(response: JsonObject): JsonObject[] {
  const output = Array.isArray(response['output']) ? (response['output'] as JsonObject[]) : [];
  const said = output.filter((item) => item['type'] !== 'reasoning');
  return said.length === 0 ? [] : toMessages(said);
}
