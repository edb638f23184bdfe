// What a fault looks like over HTTP: `{ error: { code, message, hint } }` and the status that fits its code.
// Not a logger; anything that is no CairnError becomes a plain 500 whose text tells nothing of the machine.
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { CairnError } from '../errors.ts';

/** The JSON body of every refused or failed request. */
export interface FailureBody {
  readonly error: { readonly code: string; readonly message: string; readonly hint?: string };
}

/** Codes of all layers that a request can meet. Everything else is a fault of ours: 500. */
const codesOf: readonly (readonly [ContentfulStatusCode, readonly string[]])[] = [
  [
    400,
    [
      'bad_audio',
      'bad_board',
      'bad_chat',
      'bad_config',
      'bad_cell',
      'bad_cue',
      'bad_count',
      'bad_pdf',
      'bad_provenance',
      'bad_question',
      'bad_rate',
      'bad_event_id',
      'bad_image',
      'bad_json',
      'bad_k',
      'bad_keep',
      'bad_outcome',
      'bad_picture',
      'bad_png',
      'bad_position',
      'bad_query',
      'bad_seed',
      'bad_speed',
      'bad_wav',
      'sketch_kept',
      'truncated_png',
      'usage',
    ],
  ],
  [401, ['unauthorized']],
  [403, ['forbidden_host', 'forbidden_origin']],
  [404, ['event_not_found', 'not_available', 'not_found', 'source_not_found']],
  [409, ['config_changed', 'growing', 'too_dear']],
  [410, ['event_forgotten', 'event_quarantined']],
  [413, ['image_too_large', 'meta_too_large', 'too_large']],
  [415, ['not_text', 'unsupported_image', 'unsupported_media_type']],
  [422, ['image_too_small', 'no_board', 'no_ink', 'not_a_board', 'pdf_without_text']],
  [429, ['budget_exceeded']],
  [502, ['model_failed']],
  [503, ['aborted', 'busy', 'closing', 'interrupted', 'memory_closed', 'store_closed', 'store_locked']],
  [507, ['disk_full', 'store_full', 'store_not_writable', 'config_not_written']],
];
const statusOf = new Map(codesOf.flatMap(([status, codes]) => codes.map((code) => [code, status] as const)));

/** The status for an error code of any layer. */
export function statusFor(code: string): ContentfulStatusCode {
  return statusOf.get(code) ?? 500;
}

/** Body and status for anything that was thrown. Never contains a stack or a cause. */
export function toFailure(error: unknown): { readonly status: ContentfulStatusCode; readonly body: FailureBody } {
  if (CairnError.isInstance(error)) {
    return {
      status: statusFor(error.code),
      body: {
        error: {
          code: error.code,
          message: error.message,
          ...(error.hint === undefined ? {} : { hint: error.hint }),
        },
      },
    };
  }
  if (error instanceof Error && error.name === 'AbortError') {
    return {
      status: 503,
      body: { error: { code: 'aborted', message: 'The request was stopped before it was done.' } },
    };
  }
  return {
    status: 500,
    body: {
      error: {
        code: 'internal',
        message: 'Expected no fault here, got one that Cairn does not know.',
        hint: 'Look at the server’s output, and please report what you did.',
      },
    },
  };
}
