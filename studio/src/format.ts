// Numbers and times as the studio writes them: few digits, thin units, no surprises.

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const clock = new Intl.DateTimeFormat('en', {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle: 'h23',
});
const day = new Intl.DateTimeFormat('en', { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' });

/** 12,345 */
export function count(n: number): string {
  return whole.format(n);
}

/** A share from 0 to 1 as percent, with the digits that matter: 27 %, 99.3 %, 99.98 %. */
export function percent(share: number): string {
  const p = share * 100;
  if (p > 0 && p < 0.01) return '< 0.01 %';
  // Near the ends a digit more: nothing but all may read as 100 %.
  const near = Math.min(p, 100 - p);
  const digits = near === 0 ? 0 : near < 0.1 ? 2 : near < 10 ? 1 : 0;
  return `${Math.min(p, share < 1 ? 99.99 : 100).toFixed(digits)} %`;
}

/** 1.2 KiB */
export function bytes(n: number): string {
  if (n < 1_000) return `${whole.format(n)} B`;
  if (n < 1_000_000) return `${(n / 1024).toFixed(n < 10_240 ? 2 : 1)} KiB`;
  return `${(n / 1_048_576).toFixed(1)} MiB`;
}

/** 4.2 Mflop */
export function flop(n: number): string {
  if (n < 1_000) return `${whole.format(n)} flop`;
  if (n < 1e6) return `${(n / 1e3).toFixed(n < 1e4 ? 1 : 0)} kflop`;
  if (n < 1e9) return `${(n / 1e6).toFixed(n < 1e7 ? 1 : 0)} Mflop`;
  return `${(n / 1e9).toFixed(n < 1e10 ? 1 : 0)} Gflop`;
}

/** 18 ms */
export function millis(n: number): string {
  return n < 1_000 ? `${n < 10 ? n.toFixed(1) : whole.format(n)} ms` : `${(n / 1_000).toFixed(1)} s`;
}

/** 09:12:04 */
export function time(at: number): string {
  return clock.format(at);
}

/** 5 Jan 2026, 09:12:04 */
export function dateTime(at: number): string {
  return day.format(at);
}

/** "row 3, column 5" of cell 22. */
export function place(cell: number): string {
  return `row ${Math.floor(cell / 9) + 1}, column ${(cell % 9) + 1}`;
}

/** US dollars with the digits that matter: $12.30, $0.0042, $0. */
export function usd(amount: number): string {
  if (amount === 0) return '$0';
  const sign = amount < 0 ? '−' : '';
  const size = Math.abs(amount);
  if (size >= 1) return `${sign}$${size.toFixed(2)}`;
  if (size < 1e-6) return `${sign}< $0.000001`;
  return `${sign}$${size.toFixed(Math.min(7, 1 - Math.floor(Math.log10(size))))}`;
}
