// Plain text tables for a terminal. Not a layout engine: columns are as wide as their longest cell.
import type { Cell } from './report.ts';

/** Four significant digits for people; integers as they are. */
export function formatCell(cell: Cell): string {
  if (cell === null || cell === undefined) return '-';
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no';
  if (typeof cell === 'string') return cell;
  if (Number.isInteger(cell)) return String(cell);
  if (!Number.isFinite(cell)) return Number.isNaN(cell) ? '-' : cell > 0 ? 'inf' : '-inf';
  const size = Math.abs(cell);
  return size >= 1e5 || size < 1e-3 ? cell.toExponential(2) : String(Number(cell.toPrecision(4)));
}

/**
 * Aligns rows under their column names: numbers to the right, text to the left.
 *
 * @example
 * formatTable(['name', 'n'], [['a', 1], ['bb', 20]]);
 */
export function formatTable(columns: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cells = rows.map((row) => columns.map((_, j) => formatCell(row[j])));
  const right = columns.map(
    (_, j) => rows.length > 0 && rows.every((row) => typeof row[j] === 'number' || row[j] == null),
  );
  const width = columns.map((name, j) => Math.max(name.length, ...cells.map((row) => row[j]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, j) => (right[j] ? cell.padStart(width[j]!) : cell.padEnd(width[j]!)))
      .join('  ')
      .trimEnd();
  return [line(columns), line(width.map((w) => '-'.repeat(w))), ...cells.map(line)].join('\n');
}
