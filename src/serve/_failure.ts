// What a fault looks like over HTTP: `{ error: { code, message, hint } }` and the status that fits its code.
// Not a logger; anything that is no CairnError becomes a plain 500 whose text tells nothing of the machine.
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { CairnError } from '../errors.ts';

/** The JSON body of every refused or failed request. */
export interface FailureBody {
  readonly error: { readonly code: string; readonly message: string; readonly hint?: string };
}

const statusOf: Readonly<Record<string, ContentfulStatusCode>> = {
  unauthorized: 401,
  forbidden_host: 403,
  forbidden_origin: 403,
  not_found: 404,
  method_not_allowed: 405,
  gone: 410,
  conflict: 409,
  too_large: 413,
  unsupported_media_type: 415,
  busy: 503,
  closing: 503,
  cancelled: 499 as ContentfulStatusCode,
  aborted: 499 as ContentfulStatusCode,
  disk_full: 507,
  read_only: 507,
};

/** The status for an error code of any layer: exact codes first, then what the words of the code say. */
export function statusFor(code: string): ContentfulStatusCode {
  const exact = statusOf[code];
  if (exact !== undefined) return exact;
  if (/not_found|unknown_event|no_such|missing_event/.test(code)) return 404;
  if (/too_(large|big|long|many)|over_limit/.test(code)) return 413;
  if (/(^|_)(bad|invalid|malformed|usage|truncated|unsupported|image|png|grid|id|range|parse)(_|$)/.test(code))
    return 400;
  if (/full|read_?only|unwritable/.test(code)) return 507;
  if (/busy|locked|timeout|unavailable/.test(code)) return 503;
  return 500;
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
