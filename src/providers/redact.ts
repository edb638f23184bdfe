// Takes secrets out of text before it leaves the process: the exact secrets that are known, and what looks like one.

const PATTERNS: readonly RegExp[] = [
  /\b(sk|pk|rk|ck|xai|gsk|hf|ghp|gho|glpat|pplx)[-_][A-Za-z0-9_-]{12,}/g,
  /\bAIza[A-Za-z0-9_-]{20,}/g,
  /\bAKIA[A-Z0-9]{16}\b/g,
  /\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{5,}/g,
  /(bearer\s+)[A-Za-z0-9._~+/=-]{12,}/gi,
  /((?:api[-_]?key|token|secret|password|authorization)["']?\s*[:=]\s*["']?)[^\s"',;&]{8,}/gi,
  /(:\/\/[^\s/:@]+:)[^\s/@]+(?=@)/g,
];
/** What stands in the place of a secret. */
export const REDACTED = '[redacted]';

/**
 * A function that replaces secrets in text. `secrets` is asked for at every call, so that rotated keys are known.
 *
 * @example
 * createRedactor(() => ['swordfish-123'])('key is swordfish-123'); // 'key is [redacted]'
 */
export function createRedactor(secrets: () => Iterable<string>): (text: string) => string {
  return (text) => {
    let clean = text;
    for (const secret of secrets()) {
      if (secret.length >= 6) clean = clean.replaceAll(secret, REDACTED);
    }
    for (const pattern of PATTERNS) {
      clean = clean.replace(pattern, (_match: string, prefix: unknown) =>
        typeof prefix === 'string' && /[\s:=@"']$/.test(prefix) ? `${prefix}${REDACTED}` : REDACTED,
      );
    }
    return clean;
  };
}

/** Redacts every string inside a JSON value. */
export function redactJson(value: unknown, redact: (text: string) => string, depth = 0): unknown {
  if (typeof value === 'string') return redact(value);
  if (depth > 32 || typeof value !== 'object' || value === null) return depth > 32 ? null : value;
  if (Array.isArray(value)) return value.map((item) => redactJson(item, redact, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redactJson(item, redact, depth + 1)]));
}
