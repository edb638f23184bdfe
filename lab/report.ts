// What every experiment is given and returns. Experiments import Cairn as a user would.
export type { Axis, Cell, Claim, Columns, Curve, Figure, LabOptions, LabReport, Table } from 'cairn/cli';
