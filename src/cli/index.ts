// The contract of experiments and benchmarks; the command line itself is a program, not a library.
export type {
  Axis,
  BenchOptions,
  BenchReport,
  BenchRow,
  Cell,
  Claim,
  Columns,
  Curve,
  Figure,
  LabOptions,
  LabReport,
  Spread,
  Table,
} from './report.ts';
