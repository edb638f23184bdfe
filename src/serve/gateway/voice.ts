// How an answer is written for the client: the same completion and the same chunks, in the form of the endpoint that was asked.
// This file has the form of /v1/chat/completions, which is what models upstream speak: they pass through.
import type { ChatChunk, JsonObject } from '../../providers/index.ts';
import { errorBody, type GatewayError } from './gateway-error.ts';

/** Texts of a stream are ready for the wire; '' where nothing is to be sent. */
export interface Voice {
  /** The body of a whole answer. */
  whole(body: JsonObject): object;
  /** The beginning of a stream. */
  begin(): string;
  chunk(chunk: ChatChunk): string;
  /** The end of a stream that broke. */
  fail(error: GatewayError): string;
  /** The end of a whole stream; with what the client asked to be told in it. */
  end(told: Readonly<Record<string, string>> | undefined): string;
}

/** @param wantsUsage whether the client asked for usage at the end of a stream */
export function chatVoice(id: string, wantsUsage: boolean): Voice {
  return {
    whole: (body) => body,
    begin: () => '',
    chunk(chunk) {
      const shown = chunk.usage === undefined || wantsUsage ? chunk.data : withoutUsage(chunk.data);
      return shown === undefined ? '' : `data: ${shown}\n\n`;
    },
    fail: (error) => `data: ${JSON.stringify(errorBody(error))}\n\n${DONE}`,
    end: (told) =>
      told === undefined
        ? DONE
        : `data: ${JSON.stringify({ id, object: 'chat.completion.chunk', choices: [], cairn: told })}\n\n${DONE}`,
  };
}

const DONE = 'data: [DONE]\n\n';

/** A chunk without the usage that the client did not ask for; undefined when nothing else is in it. */
function withoutUsage(data: string): string | undefined {
  const { usage: _usage, ...chunk } = JSON.parse(data) as Record<string, unknown>;
  return Array.isArray(chunk['choices']) && chunk['choices'].length === 0 ? undefined : JSON.stringify(chunk);
}
