// What the gateway refuses or fails with: a CairnError that knows its HTTP status, and its form in the OpenAI API.
import { CairnError } from '../../errors.ts';

export type GatewayCode =
  | 'invalid_request'
  | 'context_length_exceeded'
  | 'unsupported_parameter'
  | 'no_eligible_model'
  | 'model_not_found'
  | 'budget_exceeded'
  | 'rate_limited'
  | 'upstream_failed'
  | 'timeout'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'not_fitted'
  | 'too_large'
  | 'closing'
  | 'state_unavailable'
  | 'internal';

export interface GatewayErrorOptions {
  readonly status: number;
  readonly param?: string | null;
  readonly hint?: string;
  readonly cause?: unknown;
  /** Seconds for the Retry-After header. */
  readonly retryAfter?: number;
  /** Tries that were made, without anything secret. */
  readonly attempts?: readonly object[];
  /** The upstream's own error, redacted. */
  readonly upstream?: unknown;
}

export class GatewayError extends CairnError {
  override readonly code: GatewayCode;
  readonly status: number;
  readonly param: string | null;
  readonly retryAfter: number | undefined;
  readonly attempts: readonly object[] | undefined;
  readonly upstream: unknown;

  constructor(code: GatewayCode, message: string, options: GatewayErrorOptions) {
    super(code, message, {
      ...(options.hint === undefined ? {} : { hint: options.hint }),
      ...(options.cause === undefined ? {} : { cause: options.cause }),
    });
    this.code = code;
    this.status = options.status;
    this.param = options.param ?? null;
    this.retryAfter = options.retryAfter;
    this.attempts = options.attempts;
    this.upstream = options.upstream;
  }
}

/** The body of an error as the OpenAI API has it. */
export function errorBody(error: GatewayError): object {
  return {
    error: {
      message: error.toText(),
      type: typeOf(error.status),
      code: error.code,
      param: error.param,
      ...(error.attempts === undefined ? {} : { attempts: error.attempts }),
      ...(error.upstream === undefined ? {} : { upstream: error.upstream }),
    },
  };
}

/** Anything that was thrown, as an error of the gateway. What we do not know tells nothing of the machine. */
export function toGatewayError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  if (CairnError.isInstance(error) && error.code === 'no_eligible_model') {
    return new GatewayError('no_eligible_model', error.message, {
      status: 400,
      ...(error.hint ? { hint: error.hint } : {}),
    });
  }
  const refused = CairnError.isInstance(error) ? REFUSALS[error.code] : undefined;
  if (refused !== undefined) {
    const { message, hint } = error as CairnError;
    return new GatewayError(refused.code, message, { status: refused.status, ...(hint ? { hint } : {}) });
  }
  return new GatewayError('internal', 'Expected no fault here, got one that Cairn does not know.', {
    status: 500,
    hint: 'Look at the server’s output.',
    cause: error,
  });
}

/** Refusals of other parts that a client of the OpenAI form may meet. */
const REFUSALS: Readonly<Record<string, { readonly code: GatewayCode; readonly status: number }>> = {
  bad_outcome: { code: 'invalid_request', status: 400 },
  not_found: { code: 'not_found', status: 404 },
};

function typeOf(status: number): string {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}
