// JSON values as they come over the wire, and careful ways to look into them.

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined;
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object under `key`, or an empty one. */
export function objectAt(value: JsonObject, key: string): JsonObject {
  const inner = value[key];
  return isObject(inner) ? inner : {};
}

/** The list under `key`, or an empty one. */
export function listAt(value: JsonObject, key: string): readonly JsonValue[] {
  const inner = value[key];
  return Array.isArray(inner) ? (inner as readonly JsonValue[]) : [];
}

export function textAt(value: JsonObject, key: string): string | undefined {
  const inner = value[key];
  return typeof inner === 'string' ? inner : undefined;
}

/** A finite number of at least 0, else undefined. */
export function countAt(value: JsonObject, key: string): number | undefined {
  const inner = value[key];
  return typeof inner === 'number' && Number.isFinite(inner) && inner >= 0 ? inner : undefined;
}
