// The one error class of Cairn. Every error a user can meet says what was expected, what came instead and what to do.

export interface CairnErrorOptions {
  /** What the reader can do next, one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** Machine-readable facts about the fault; never a secret, never user content. */
  readonly details?: Readonly<Record<string, unknown>>;
}

const brand = Symbol.for('cairn.error');

/**
 * An error with a stable code and a hint. The message reads "Expected X, got Y." and the hint "Do Z."
 *
 * @example
 * const e = new CairnError('shape_mismatch', 'Expected [4,3], got [2,3].', { hint: 'Transpose the second operand.' });
 * CairnError.isInstance(e); // true
 */
export class CairnError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;
  readonly [brand] = true;

  constructor(code: string, message: string, options: CairnErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CairnError';
    this.code = code;
    this.hint = options.hint;
    this.details = options.details;
  }

  /** True for any CairnError, also one made by another copy of this package. */
  static isInstance(value: unknown): value is CairnError {
    return typeof value === 'object' && value !== null && (value as Record<symbol, unknown>)[brand] === true;
  }

  /** One line for people: message, then hint. */
  toText(): string {
    return this.hint ? `${this.message} ${this.hint}` : this.message;
  }

  toJSON(): { code: string; message: string; hint?: string; details?: Readonly<Record<string, unknown>> } {
    return {
      code: this.code,
      message: this.message,
      ...(this.hint === undefined ? {} : { hint: this.hint }),
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }
}
