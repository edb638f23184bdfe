// Types of _sqlite-state.mjs.
import type Database from 'libsql';
import type { Account, GatewayState, Reservation, Reserved } from './state.ts';

/** The calls of a state as they are without promises. */
export interface SqliteState {
  reserve(id: string, accounts: readonly Account[], expiresAt: number, now: number): Reserved;
  settle(reservation: Reservation, spent: readonly number[]): void;
  usage(names: Parameters<GatewayState['usage']>[0], now: number): { spent: number; reserved: number }[];
  get(kind: string, key: string): string | undefined;
  put(kind: string, key: string, value: string): void;
  drop(kind: string, key: string): boolean;
  list(kind: string): { key: string; value: string }[];
  record(decisions: readonly { id: string; at: number; value: string }[], keep: number): void;
  decision(id: string): string | undefined;
  decisions(limit: number, before?: number): { id: string; at: number; value: string }[];
  close(): void;
}

export function openSqlite(path: string, schema: string): Database.Database;
export function createSqliteState(path: string): SqliteState;
