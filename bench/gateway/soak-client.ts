// One request of the soak and the judgement of what came back: the whole answer and nothing else, an honest error, or, when the
// client left on purpose, nothing. Everything else is a lost request.
import { type Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { answerOf, questionOf } from './soak-world.ts';

export type Form = 'whole' | 'stream' | 'responses' | 'responses-stream';

export interface Ask {
  readonly id: number;
  readonly form: Form;
  readonly model: string;
  readonly session: string;
  /** Leaves after so many milliseconds. */
  readonly leaveAfterMs?: number;
  /** Reads a piece, then waits so long. */
  readonly slowMs?: number;
}

export interface Outcome {
  readonly kind: 'answered' | 'refused' | 'broken' | 'left' | 'lost';
  /** Code of an honest error, or why the request counts as lost. */
  readonly why?: string;
  readonly event?: string;
}

/** An answer that takes longer is lost. */
const PATIENCE_MS = 30_000;

export async function askOnce(url: string, agent: Agent, ask: Ask): Promise<Outcome> {
  for (;;) {
    const outcome = await send(url, agent, ask);
    // A kept connection that the server closed while it was idle: the request was not seen, any client sends it again.
    if (outcome !== 'stale') return outcome;
  }
}

function send(url: string, agent: Agent, ask: Ask): Promise<Outcome | 'stale'> {
  const responses = ask.form.startsWith('responses');
  const stream = ask.form.endsWith('stream');
  const content = questionOf(ask.id);
  const body = Buffer.from(
    JSON.stringify({
      model: ask.model,
      stream,
      ...(responses ? { input: content } : { messages: [{ role: 'user', content }] }),
    }),
  );
  return new Promise((resolve) => {
    let left = false;
    let event: string | undefined;
    const timers: NodeJS.Timeout[] = [];
    const end = (outcome: Outcome | 'stale'): void => {
      timers.forEach(clearTimeout);
      resolve(outcome === 'stale' || event === undefined ? outcome : { ...outcome, event });
    };
    const request = httpRequest(
      new URL(responses ? '/v1/responses' : '/v1/chat/completions', url),
      {
        method: 'POST',
        agent,
        headers: { 'content-length': body.length, 'x-cairn-session': ask.session, authorization: 'Bearer none' },
      },
      (response) => {
        const named = response.headers['x-cairn-event'];
        event = typeof named === 'string' ? named : undefined;
        read(response, ask.slowMs).then(
          (text) => end(judge(ask, response.statusCode ?? 0, text)),
          (error: NodeJS.ErrnoException) =>
            end(
              left ? { kind: 'left' } : { kind: 'lost', why: `the answer broke off: ${error.code ?? error.message}` },
            ),
        );
      },
    );
    request.once('error', (error: NodeJS.ErrnoException) => {
      if (left) end({ kind: 'left' });
      else if (request.reusedSocket && error.code === 'ECONNRESET') end('stale');
      else end({ kind: 'lost', why: `no answer: ${error.code ?? error.message}` });
    });
    timers.push(
      setTimeout(() => {
        end({ kind: 'lost', why: `no answer within ${PATIENCE_MS} ms` });
        request.destroy();
      }, PATIENCE_MS),
    );
    if (ask.leaveAfterMs !== undefined) {
      const leave = (): void => {
        left = true;
        request.destroy();
      };
      timers.push(setTimeout(leave, ask.leaveAfterMs));
    }
    request.end(body);
  });
}

async function read(response: IncomingMessage, slowMs: number | undefined): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of response) {
    pieces.push(piece as Buffer);
    if (slowMs !== undefined) await new Promise((resolve) => setTimeout(resolve, slowMs));
  }
  return Buffer.concat(pieces).toString('utf8');
}

/** What an answer is worth. */
export function judge(ask: Ask, status: number, text: string): Outcome {
  try {
    if (status !== 200) return refusal(JSON.parse(text) as Json, status);
    if (ask.form === 'whole') return said(ask, (JSON.parse(text) as Json)?.choices?.[0]?.message?.content);
    if (ask.form === 'responses') return said(ask, (JSON.parse(text) as Json)?.output?.[0]?.content?.[0]?.text);
    const events = text.split('\n\n').filter((block) => block !== '');
    return ask.form === 'stream' ? chatStream(ask, events) : responsesStream(ask, events);
  } catch (error) {
    return { kind: 'lost', why: `unreadable (${status}): ${String(error)}` };
  }
}

type Json = ReturnType<JSON['parse']>;

function refusal(body: Json, status: number): Outcome {
  const { code, message } = body?.error ?? {};
  return typeof code === 'string' && typeof message === 'string' && message.startsWith('Expected')
    ? { kind: 'refused', why: code }
    : { kind: 'lost', why: `status ${status} without an error that says why` };
}

function said(ask: Ask, text: unknown): Outcome {
  return text === answerOf(ask.id)
    ? { kind: 'answered' }
    : { kind: 'lost', why: `another text: ${String(text).slice(0, 80)}` };
}

function broken(ask: Ask, text: string, code: unknown): Outcome {
  return answerOf(ask.id).startsWith(text) && typeof code === 'string'
    ? { kind: 'broken', why: code }
    : { kind: 'lost', why: `a broken stream with another text: ${text.slice(0, 80)}` };
}

function chatStream(ask: Ask, blocks: readonly string[]): Outcome {
  if (blocks.at(-1) !== 'data: [DONE]') return { kind: 'lost', why: 'a stream without its end' };
  let text = '';
  let finished = false;
  for (const block of blocks.slice(0, -1)) {
    const chunk = JSON.parse(block.slice('data: '.length)) as Json;
    if (chunk.error !== undefined) return broken(ask, text, chunk.error.code);
    text += chunk.choices[0]?.delta?.content ?? '';
    finished ||= typeof chunk.choices[0]?.finish_reason === 'string';
  }
  return finished ? said(ask, text) : { kind: 'lost', why: 'a stream without a reason to finish' };
}

function responsesStream(ask: Ask, blocks: readonly string[]): Outcome {
  let text = '';
  for (const [i, block] of blocks.entries()) {
    const event = JSON.parse(block.split('\n')[1]!.slice('data: '.length)) as Json;
    if (event.sequence_number !== i) return { kind: 'lost', why: `event ${event.sequence_number} at place ${i}` };
    if (event.type === 'response.output_text.delta') text += event.delta;
    if (event.type === 'response.failed') return broken(ask, text, event.response.error.code);
    if (event.type === 'response.completed')
      return i === blocks.length - 1 ? said(ask, text) : { kind: 'lost', why: 'events after the last' };
  }
  return { kind: 'lost', why: 'a stream without its end' };
}
